//! Code page 437, the characters of the PC's own font.

const CHARACTERS: [&str; 8] = [
    " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼",
    " !\"#$%&'()*+,-./0123456789:;<=>?",
    "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_",
    "`abcdefghijklmnopqrstuvwxyz{|}~⌂",
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ",
];

/// What a character of code page 437 looks like.
#[must_use]
pub fn character(code: u8) -> char {
    let row = CHARACTERS[usize::from(code >> 5)];
    row.chars().nth(usize::from(code & 31)).unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::{CHARACTERS, character};

    #[test]
    fn every_row_has_32_characters() {
        assert!(CHARACTERS.iter().all(|row| row.chars().count() == 32));
        assert_eq!(
            [character(b'A'), character(0xdb), character(0xe1)],
            ['A', '█', 'ß']
        );
    }
}
