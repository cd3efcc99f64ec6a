//! The code of an ELF file, block by block, as if each were run.

use object::{Object, ObjectSection, SectionFlags, elf};
use rax_cpu::insn::Insn;

/// Decodes all executable sections from one end to the other, and gives `act` each block and its
/// address. It is empty where there is no code.
///
/// # Errors
/// When the file is none.
pub(crate) fn each_block<Insns: AsRef<[Insn]>>(
    data: &[u8],
    mut decode: impl FnMut(&[u8]) -> Insns,
    mut act: impl FnMut(u64, Insns),
) -> Result<(), object::Error> {
    let file = object::File::parse(data)?;
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else {
            continue;
        };
        if sh_flags & u64::from(elf::SHF_EXECINSTR) == 0 {
            continue;
        }
        let mut code = section.data()?;
        let end = section.address() + section.size();
        while !code.is_empty() {
            let address = end - code.len() as u64;
            let insns = decode(code);
            let length = insns.as_ref().last();
            let length = length.map_or(1, |insn| usize::from(insn.next));
            code = &code[length..];
            act(address, insns);
        }
    }
    Ok(())
}
