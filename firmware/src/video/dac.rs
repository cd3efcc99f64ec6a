//! The colours that a mode set loads into the DAC (IBM VGA Technical Reference, "Video DAC").

/// Red, green and blue, six bits each.
pub(crate) type Colour = [u8; 3];

/// The tables of [`table`].
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Palette {
    /// Sixteen colours of the CGA, again and again.
    Cga = 0,
    /// The 64 colours of the EGA: bits rgbRGB.
    Ega = 1,
    /// Black, normal, bright.
    Mono = 2,
    /// Mode 13h: sixteen colours, sixteen greys, nine wheels.
    Wheels = 3,
}

/// The bytes of one of the tables.
pub(crate) fn table(palette: Palette) -> Vec<u8> {
    let colours: Vec<Colour> = match palette {
        Palette::Cga => (0..64)
            .map(|index| cga(index & 7, index & 0x10 != 0))
            .collect(),
        Palette::Ega => (0..64).map(ega).collect(),
        Palette::Mono => (0..64).map(|index| [mono(index); 3]).collect(),
        Palette::Wheels => wheels(),
    };
    colours.into_flattened()
}

/// The sixteen colours of text.
pub(crate) fn sixteen() -> [Colour; 16] {
    std::array::from_fn(|index| cga(index & 7, index & 8 != 0))
}

fn cga(rgb: usize, bright: bool) -> Colour {
    if rgb == 6 && !bright {
        // Dark yellow is brown, as the CGA's monitor made it.
        return [0x2A, 0x15, 0x00];
    }
    let base = if bright { 0x15 } else { 0x00 };
    [4, 2, 1].map(|bit| base + if rgb & bit == 0 { 0x00 } else { 0x2A })
}

fn ega(index: usize) -> Colour {
    [4, 2, 1].map(|bit| {
        let strong = if index & bit == 0 { 0x00 } else { 0x2A };
        let weak = if index & (bit << 3) == 0 { 0x00 } else { 0x15 };
        strong + weak
    })
}

fn mono(index: usize) -> u8 {
    match index & 0x18 {
        0x08 => 0x2A,
        0x18 => 0x3F,
        _ => 0x00,
    }
}

const GREYS: [u8; 16] = [
    0x00, 0x05, 0x08, 0x0B, 0x0E, 0x11, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x28, 0x2D, 0x32, 0x38, 0x3F,
];
/// Five steps from the least to the most of a colour: three intensities, three saturations each.
const STEPS: [[u8; 5]; 9] = [
    [0x00, 0x10, 0x1F, 0x2F, 0x3F],
    [0x1F, 0x27, 0x2F, 0x37, 0x3F],
    [0x2D, 0x31, 0x36, 0x3A, 0x3F],
    [0x00, 0x07, 0x0E, 0x15, 0x1C],
    [0x0E, 0x11, 0x15, 0x18, 0x1C],
    [0x14, 0x16, 0x18, 0x1A, 0x1C],
    [0x00, 0x04, 0x08, 0x0C, 0x10],
    [0x08, 0x0A, 0x0C, 0x0E, 0x10],
    [0x0B, 0x0C, 0x0D, 0x0F, 0x10],
];

fn wheels() -> Vec<Colour> {
    let mut colours: Vec<Colour> = sixteen().to_vec();
    colours.extend(GREYS.map(|grey| [grey; 3]));
    for steps in STEPS {
        colours.extend((0..24).map(|hue| wheel(hue, steps)));
    }
    colours.resize(256, [0; 3]);
    colours
}

/// A hue of 24, from blue over red and green back.
fn wheel(hue: usize, steps: [u8; 5]) -> Colour {
    let [least, .., most] = steps;
    let (up, down) = (steps[hue % 4], steps[4 - hue % 4]);
    match hue / 4 {
        0 => [up, least, most],
        1 => [most, least, down],
        2 => [most, up, least],
        3 => [down, most, least],
        4 => [least, most, up],
        _ => [least, down, most],
    }
}

/// The sixteen colours of text as pixels of a depth (15, 16, 24 and 32 bits), four bytes each.
pub(crate) fn pixels(depth: u8) -> Vec<u8> {
    let pixel = |[red, green, blue]: Colour| {
        let [red, green, blue] = [red, green, blue].map(u32::from);
        match depth {
            15 => (red >> 1) << 10 | (green >> 1) << 5 | blue >> 1,
            16 => (red >> 1) << 11 | green << 5 | blue >> 1,
            _ => eight_bits(red) << 16 | eight_bits(green) << 8 | eight_bits(blue),
        }
    };
    sixteen()
        .into_iter()
        .flat_map(|colour| pixel(colour).to_le_bytes())
        .collect()
}

fn eight_bits(six: u32) -> u32 {
    six << 2 | six >> 4
}
