//! The x87 environment and state in memory: FLDENV, FSTENV, FRSTOR and FSAVE in their four
//! layouts (SDM 1, 8.1.10, figures 8-9 to 8-12).

use rax_mmu::LinearAddress;

use super::unit::wait;
use crate::Cpu;
use crate::exception::Exit;
use crate::float::F80;
use crate::fpu::Fpu;
use crate::insn::Insn;
use crate::mode::Mode;

/// Bytes of the eight registers in memory.
const REGISTERS: usize = 80;
/// The longest image: FSAVE with 32-bit operands.
const LONGEST: usize = 28 + REGISTERS;
/// Most bytes of one access.
const PIECE: usize = 64;

/// How the environment lies in memory: `BYTES` is 14 or 28.
#[derive(Clone, Copy)]
struct Layout {
    /// Bytes of a field: 2 or 4.
    field: usize,
    /// Real or virtual-8086 mode: pointers are linear, and shifted about.
    is_real: bool,
}

impl Layout {
    const fn of(cpu: &Cpu, environment: usize) -> Self {
        Self {
            field: environment / 7,
            is_real: cpu.mode.contains(Mode::REAL_STYLE),
        }
    }

    /// The seven fields, with what reserved halves hold.
    fn pack(self, fpu: &Fpu) -> [u32; 7] {
        let reserved = |word: u16| 0xffff_0000 | u32::from(word);
        let opcode = u32::from(fpu.last_opcode & 0x7ff);
        let (ip, dp) = (fpu.last_ip as u32, fpu.last_dp as u32);
        let pointers = if self.is_real {
            let ip = ip.wrapping_add(u32::from(fpu.last_cs) << 4);
            let dp = dp.wrapping_add(u32::from(fpu.last_ds) << 4);
            [
                reserved(ip as u16),
                ip >> 16 << 12 | opcode,
                reserved(dp as u16),
                dp >> 16 << 12,
            ]
        } else {
            [
                ip,
                opcode << 16 | u32::from(fpu.last_cs),
                dp,
                reserved(fpu.last_ds),
            ]
        };
        let [a, b, c, d] = pointers;
        [
            reserved(fpu.control),
            reserved(fpu.status),
            reserved(fpu.tag_word()),
            a,
            b,
            c,
            d,
        ]
    }

    /// Takes the seven fields.
    fn unpack(self, fields: [u32; 7], fpu: &mut Fpu) {
        let [control, status, tags, a, b, c, d] = fields;
        fpu.set_tag_word(tags as u16);
        fpu.status = status as u16;
        fpu.set_control(control as u16);
        let is_wide = self.field == 4;
        if self.is_real {
            // The high half has four bits in the short layout, sixteen in the long one.
            fpu.last_ip = u64::from(a & 0xffff | b >> 12 << 16);
            fpu.last_dp = u64::from(c & 0xffff | d >> 12 << 16);
            fpu.last_cs = 0;
            fpu.last_ds = 0;
            fpu.last_opcode = b as u16 & 0x7ff;
        } else {
            fpu.last_ip = u64::from(a);
            fpu.last_cs = b as u16;
            fpu.last_dp = u64::from(c);
            fpu.last_ds = d as u16;
            fpu.last_opcode = if is_wide { (b >> 16) as u16 & 0x7ff } else { 0 };
        }
    }

    /// Writes the environment into the first bytes of an image.
    fn write(self, fpu: &Fpu, image: &mut [u8]) {
        for (field, place) in self
            .pack(fpu)
            .iter()
            .zip(image.chunks_exact_mut(self.field))
        {
            place.copy_from_slice(&field.to_le_bytes()[..self.field]);
        }
    }

    /// Reads the environment from the first bytes of an image.
    fn read(self, fpu: &mut Fpu, image: &[u8]) {
        let mut fields = [0; 7];
        for (field, place) in fields.iter_mut().zip(image.chunks_exact(self.field)) {
            let mut bytes = [0; 4];
            bytes[..self.field].copy_from_slice(place);
            *field = u32::from_le_bytes(bytes);
        }
        self.unpack(fields, fpu);
    }
}

/// Reads the memory operand, or nothing of it.
fn read_image(cpu: &mut Cpu, insn: &Insn, layout: Layout, image: &mut [u8]) -> Result<(), Exit> {
    let size = image.len() as u64;
    let address = cpu.operand_address(insn, size, false)?;
    cpu.note_position(insn);
    cpu.check_alignment(address, layout.field as u64)?;
    for (index, piece) in image.chunks_mut(PIECE).enumerate() {
        let place = piece_address(cpu, address, index);
        cpu.read_linear(insn.segment, place, piece)?;
    }
    Ok(())
}

/// Writes the memory operand, or nothing of it.
fn write_image(cpu: &mut Cpu, insn: &Insn, layout: Layout, image: &[u8]) -> Result<(), Exit> {
    let size = image.len() as u64;
    let address = cpu.operand_address(insn, size, true)?;
    cpu.note_position(insn);
    cpu.check_alignment(address, layout.field as u64)?;
    cpu.probe_write(insn.segment, address, size)?;
    for (index, piece) in image.chunks(PIECE).enumerate() {
        let place = piece_address(cpu, address, index);
        cpu.write_linear(insn.segment, place, piece)?;
    }
    Ok(())
}

fn piece_address(cpu: &Cpu, address: LinearAddress, index: usize) -> LinearAddress {
    let place = address.0.wrapping_add((index * PIECE) as u64);
    LinearAddress(if cpu.long_mode_active() {
        place
    } else {
        place & 0xffff_ffff
    })
}

/// FLDENV. `BYTES` is 14 or 28.
pub(super) fn fldenv<const BYTES: usize>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    wait(cpu)?;
    let layout = Layout::of(cpu, BYTES);
    let mut image = [0; BYTES];
    read_image(cpu, insn, layout, &mut image)?;
    cpu.with_ferr(|cpu| layout.read(&mut cpu.state.fpu, &image));
    Ok(())
}

/// FNSTENV: masks all exceptions after storing. `BYTES` is 14 or 28.
pub(super) fn fnstenv<const BYTES: usize>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let layout = Layout::of(cpu, BYTES);
    let mut image = [0; BYTES];
    layout.write(&cpu.state.fpu, &mut image);
    write_image(cpu, insn, layout, &image)?;
    cpu.with_ferr(|cpu| cpu.state.fpu.mask_all());
    Ok(())
}

/// FRSTOR. `BYTES` is 14 or 28, the size of the environment alone.
pub(super) fn frstor<const BYTES: usize>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    wait(cpu)?;
    let layout = Layout::of(cpu, BYTES);
    let mut buffer = [0; LONGEST];
    let image = &mut buffer[..BYTES + REGISTERS];
    read_image(cpu, insn, layout, image)?;
    cpu.with_ferr(|cpu| layout.read(&mut cpu.state.fpu, image));
    let fpu = &mut cpu.state.fpu;
    for (i, place) in image[BYTES..].chunks_exact(10).enumerate() {
        let mut bytes = [0; 10];
        bytes.copy_from_slice(place);
        let register = fpu.physical(i);
        fpu.registers[register] = F80::from_le_bytes(bytes);
    }
    Ok(())
}

/// FNSAVE: initialises after storing. `BYTES` is 14 or 28, the size of the environment alone.
pub(super) fn fnsave<const BYTES: usize>(cpu: &mut Cpu, insn: &Insn) -> Result<(), Exit> {
    let layout = Layout::of(cpu, BYTES);
    let mut buffer = [0; LONGEST];
    let image = &mut buffer[..BYTES + REGISTERS];
    let fpu = &cpu.state.fpu;
    layout.write(fpu, image);
    for (i, place) in image[BYTES..].chunks_exact_mut(10).enumerate() {
        place.copy_from_slice(&fpu.st(i).to_le_bytes());
    }
    write_image(cpu, insn, layout, image)?;
    cpu.with_ferr(|cpu| cpu.state.fpu.init());
    Ok(())
}
