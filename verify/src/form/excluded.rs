//! What is left out of the comparison with a real processor, and why.

use iced_x86::{Code, Mnemonic as M, OpCodeOperandKind};

const KERNEL: &str = "enters the host's kernel or its hypervisor";
const NONDETERMINISTIC: &str = "its result is another each time, or another on each host";
const DESCRIPTORS: &str = "depends on the host's descriptor tables";
const PRIVILEGED: &str = "privileged: test ROMs cover it";
const EMULATED: &str = "the host's kernel emulates it where UMIP forbids it";
const IMAGE: &str = "its image depends on which units the host has";
const PKRU: &str = "the host's protection keys protect the reference itself";
const ENCLAVE: &str = "needs an enclave, a transaction or a monitor of the host";
const SHADOW: &str = "depends on the host's control-flow enforcement";
const MODEL: &str = "instructions of one model only, which no host has";

/// Why an instruction is left out; none if it is not.
pub(super) fn reason(code: Code) -> Option<&'static str> {
    let op_code = code.op_code();
    let by_name = match op_code.mnemonic() {
        M::Syscall | M::Sysenter | M::Int | M::Vmcall | M::Vmmcall | M::Vmgexit | M::Vmfunc => {
            Some(KERNEL)
        }
        M::Tdcall | M::Seamcall | M::Seamops | M::Seamret | M::Hreset => Some(KERNEL),
        M::Rdtsc | M::Rdtscp | M::Rdrand | M::Rdseed | M::Cpuid | M::Rdpid | M::Rdpru => {
            Some(NONDETERMINISTIC)
        }
        M::Xgetbv | M::Rdpmc => Some(NONDETERMINISTIC),
        M::Lar | M::Lsl | M::Verr | M::Verw | M::Lfs | M::Lgs | M::Lss => Some(DESCRIPTORS),
        M::Iret | M::Iretd | M::Iretq | M::Retf | M::Uiret => Some(DESCRIPTORS),
        M::Sgdt | M::Sidt | M::Sldt | M::Str | M::Smsw => Some(EMULATED),
        M::Xsave | M::Xsave64 | M::Xsavec | M::Xsavec64 | M::Xsaveopt | M::Xsaveopt64 => {
            Some(IMAGE)
        }
        M::Xrstor | M::Xrstor64 => Some(IMAGE),
        M::Rdpkru | M::Wrpkru => Some(PKRU),
        M::Enclu | M::Enclv | M::Encls | M::Getsec | M::Xbegin | M::Xend | M::Xabort | M::Xtest => {
            Some(ENCLAVE)
        }
        M::Monitorx | M::Mwaitx | M::Umonitor | M::Umwait | M::Tpause | M::Ptwrite => Some(ENCLAVE),
        M::Monitor | M::Mwait | M::Skinit | M::Clzero | M::Mcommit => Some(PRIVILEGED),
        M::Senduipi | M::Stui | M::Clui | M::Testui | M::Enqcmd => Some(KERNEL),
        M::Incsspd
        | M::Incsspq
        | M::Rdsspd
        | M::Rdsspq
        | M::Saveprevssp
        | M::Rstorssp
        | M::Wrssd
        | M::Wrssq
        | M::Wrussd
        | M::Wrussq
        | M::Setssbsy
        | M::Clrssbsy => Some(SHADOW),
        M::Loadiwkey | M::Encodekey128 | M::Encodekey256 => Some(KERNEL),
        M::Llwpcb | M::Slwpcb | M::Lwpins | M::Lwpval => Some(MODEL),
        M::Altinst => Some(MODEL),
        _ => None,
    };
    if by_name.is_some() {
        return by_name;
    }
    if loads_segment(code) {
        return Some(DESCRIPTORS);
    }
    if is_far(code) {
        return Some(DESCRIPTORS);
    }
    if op_code.must_be_cpl0() || op_code.is_privileged() || !op_code.cpl3() {
        return Some(PRIVILEGED);
    }
    // VIA's engines.
    let features = code.cpuid_features();
    let is_via = features.iter().any(|feature| {
        let name = format!("{feature:?}");
        name.starts_with("PADLOCK") || name.starts_with("CYRIX") || name.starts_with("CENTAUR")
    });
    is_via.then_some(MODEL)
}

fn loads_segment(code: Code) -> bool {
    matches!(
        code,
        Code::Mov_Sreg_rm16
            | Code::Mov_Sreg_r32m16
            | Code::Mov_Sreg_r64m16
            | Code::Popw_FS
            | Code::Popq_FS
            | Code::Popw_GS
            | Code::Popq_GS
    )
}

fn is_far(code: Code) -> bool {
    let op_code = code.op_code();
    let has_pointer = op_code.op_kinds().iter().any(|kind| {
        matches!(
            kind,
            OpCodeOperandKind::farbr2_2 | OpCodeOperandKind::farbr4_2
        )
    });
    has_pointer || code.is_jmp_far_indirect() || code.is_call_far_indirect()
}
