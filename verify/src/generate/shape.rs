//! What has to be chosen to encode an instruction, read off iced-x86's operand kinds once.

use iced_x86::{Code, EncodingKind, OpCodeOperandKind as K};

/// What an encoding has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties of an encoding"
)]
pub(crate) struct Shape {
    /// It has a ModRM byte.
    pub(crate) modrm: bool,
    /// Its r/m operand may be a register.
    pub(crate) register: bool,
    /// Its r/m operand may be in memory.
    pub(crate) memory: bool,
    /// The index is a vector register.
    pub(crate) vsib: bool,
    /// The low bits of the opcode are a register's number.
    pub(crate) in_opcode: bool,
    /// The reg field is a number of sixteen, so REX.R may be set.
    pub(crate) wide_reg: bool,
    /// The reg field is a segment register.
    pub(crate) segment: bool,
    /// VEX.vvvv is an operand.
    pub(crate) vvvv: bool,
    /// The high bits of the immediate are an operand.
    pub(crate) is4: bool,
    /// Immediates by their sizes in bytes.
    pub(crate) immediates: [u8; 2],
    /// A branch displacement's size in bytes.
    pub(crate) branch: u8,
    /// An address without ModRM.
    pub(crate) offset: bool,
}

impl Shape {
    pub(crate) fn of(code: Code) -> Self {
        let op_code = code.op_code();
        let mut shape = Self {
            modrm: op_code.is_group() || op_code.is_rm_group(),
            ..Self::default()
        };
        for &kind in op_code.op_kinds() {
            shape.add(kind);
        }
        shape.modrm |= shape.register || shape.memory;
        if op_code.encoding() == EncodingKind::D3NOW {
            shape.modrm = true;
        }
        shape
    }

    fn add(&mut self, kind: K) {
        match kind {
            K::mem | K::mem_mpx | K::mem_mib | K::sibmem => self.memory = true,
            K::mem_vsib32x
            | K::mem_vsib64x
            | K::mem_vsib32y
            | K::mem_vsib64y
            | K::mem_vsib32z
            | K::mem_vsib64z => {
                self.memory = true;
                self.vsib = true;
            }
            K::r8_or_mem
            | K::r16_or_mem
            | K::r32_or_mem
            | K::r32_or_mem_mpx
            | K::r64_or_mem
            | K::r64_or_mem_mpx
            | K::mm_or_mem
            | K::xmm_or_mem
            | K::ymm_or_mem
            | K::zmm_or_mem
            | K::bnd_or_mem_mpx
            | K::k_or_mem => {
                self.memory = true;
                self.register = true;
            }
            K::r16_rm
            | K::r32_rm
            | K::r64_rm
            | K::k_rm
            | K::mm_rm
            | K::xmm_rm
            | K::ymm_rm
            | K::zmm_rm
            | K::tmm_rm => self.register = true,
            K::r8_reg
            | K::r16_reg
            | K::r16_reg_mem
            | K::r32_reg
            | K::r32_reg_mem
            | K::r64_reg
            | K::r64_reg_mem
            | K::xmm_reg
            | K::ymm_reg
            | K::zmm_reg
            | K::cr_reg
            | K::dr_reg => {
                self.modrm = true;
                self.wide_reg = true;
            }
            K::mm_reg | K::k_reg | K::kp1_reg | K::tr_reg | K::bnd_reg | K::tmm_reg => {
                self.modrm = true;
            }
            K::seg_reg => {
                self.modrm = true;
                self.segment = true;
            }
            K::r8_opcode | K::r16_opcode | K::r32_opcode | K::r64_opcode | K::sti_opcode => {
                self.in_opcode = true;
            }
            K::r32_vvvv
            | K::r64_vvvv
            | K::k_vvvv
            | K::xmm_vvvv
            | K::xmmp3_vvvv
            | K::ymm_vvvv
            | K::zmm_vvvv
            | K::zmmp3_vvvv
            | K::tmm_vvvv => self.vvvv = true,
            K::xmm_is4 | K::xmm_is5 | K::ymm_is4 | K::ymm_is5 => self.is4 = true,
            K::imm8 | K::imm8sex16 | K::imm8sex32 | K::imm8sex64 => self.immediate(1),
            K::imm16 => self.immediate(2),
            K::imm32 | K::imm32sex64 => self.immediate(4),
            K::imm64 => self.immediate(8),
            K::br16_1 | K::br32_1 | K::br64_1 => self.branch = 1,
            K::br16_2 | K::xbegin_2 | K::brdisp_2 => self.branch = 2,
            K::br32_4 | K::br64_4 | K::xbegin_4 | K::brdisp_4 => self.branch = 4,
            K::mem_offs => self.offset = true,
            _ => {}
        }
    }

    fn immediate(&mut self, bytes: u8) {
        let place = usize::from(self.immediates[0] != 0);
        self.immediates[place] = bytes;
    }
}
