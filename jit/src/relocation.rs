//! Code that is copied to run at another linear address: what of it changes.
//!
//! A library is elsewhere in each process, and its code differs in the addresses alone.
//! So what was compiled once is copied for the next process, which takes a fiftieth of
//! the time.

/// What a field of the code follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// Four bytes: the distance to something that stays, from code that moves.
    Place,
    /// Eight bytes: an address within the code.
    OwnAddress,
    /// Eight bytes: an address of the guest's that moves with its code.
    GuestAddress,
    /// Eight bytes: the address of the unit.
    Unit,
    /// Four bytes: the number of an exit.
    Exit,
}

/// A field of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relocation {
    /// Its offset.
    pub(crate) at: u32,
    pub(crate) follows: Follows,
}

/// What the fields are raised by, but for that of [`Follows::Unit`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    /// How far the code goes.
    pub(crate) place: u64,
    /// How far the guest's code is from the other one.
    pub(crate) guest: u64,
    /// The address of its unit.
    pub(crate) unit: u64,
    /// How much greater the numbers of its exits are.
    pub(crate) exits: u32,
}

impl Move {
    /// Changes the fields. None if one lies outside the code.
    pub(crate) fn apply(&self, code: &mut [u8], relocations: &[Relocation]) -> Option<()> {
        for relocation in relocations {
            let field = code.get_mut(relocation.at as usize..)?;
            match relocation.follows {
                Follows::Place => {
                    raise_short(field, (self.place as u32).wrapping_neg())?;
                }
                Follows::Exit => raise_short(field, self.exits)?,
                Follows::OwnAddress => raise(field, self.place)?,
                Follows::GuestAddress => raise(field, self.guest)?,
                Follows::Unit => *field.first_chunk_mut()? = self.unit.to_le_bytes(),
            }
        }
        Some(())
    }
}

fn raise(field: &mut [u8], by: u64) -> Option<()> {
    let field = field.first_chunk_mut()?;
    *field = u64::from_le_bytes(*field).wrapping_add(by).to_le_bytes();
    Some(())
}

fn raise_short(field: &mut [u8], by: u32) -> Option<()> {
    let field = field.first_chunk_mut()?;
    *field = u32::from_le_bytes(*field).wrapping_add(by).to_le_bytes();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_follow_what_they_say() {
        let mut code = [0; 40];
        code[0..4].copy_from_slice(&100u32.to_le_bytes());
        code[4..12].copy_from_slice(&0x7f00_0000_1000u64.to_le_bytes());
        code[12..20].copy_from_slice(&0x5000u64.to_le_bytes());
        code[28..32].copy_from_slice(&7u32.to_le_bytes());
        let follows = [
            (0, Follows::Place),
            (4, Follows::GuestAddress),
            (12, Follows::OwnAddress),
            (20, Follows::Unit),
            (28, Follows::Exit),
        ];
        let relocations = follows.map(|(at, follows)| Relocation { at, follows });
        let to = Move {
            place: 0x40,
            guest: 0x1000u64.wrapping_neg(),
            unit: 0x1234_5678_9abc,
            exits: 5,
        };
        assert_eq!(to.apply(&mut code, &relocations), Some(()));
        assert_eq!(code[0..4], 36u32.to_le_bytes());
        assert_eq!(code[4..12], 0x7f00_0000_0000u64.to_le_bytes());
        assert_eq!(code[12..20], 0x5040u64.to_le_bytes());
        assert_eq!(code[20..28], 0x1234_5678_9abcu64.to_le_bytes());
        assert_eq!(code[28..32], 12u32.to_le_bytes());
        assert_eq!(to.apply(&mut code[..8], &relocations), None);
    }
}
