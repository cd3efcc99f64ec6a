//! Which modes there are, and what the routines ask about the one that is set.

use super::dac::Palette;
use super::prelude::*;

/// How a mode keeps its pixels: the index into tables of painters, doubled.
#[derive(Clone, Copy)]
pub(crate) enum Model {
    /// Characters and attributes.
    Text = 0,
    /// Two bits a pixel, lines in two banks, at B8000h.
    Cga4 = 2,
    /// One bit a pixel, lines in two banks, at B8000h.
    Cga2 = 4,
    /// Four planes of one bit a pixel, at A0000h.
    Planar = 6,
    /// One to four bytes a pixel, at A0000h.
    Linear = 8,
}

/// A mode below 14h.
struct Mode {
    model: Model,
    palette: Palette,
    /// What the CGA's mode register would hold.
    cga_mode: u8,
}

/// 800x600 in 16 colours: VBE's 102h, which has this number too. It is the VGA's own kind of mode, drawn by its
/// registers.
pub(crate) const SVGA_PLANAR: i32 = 0x6A;
/// [`bda::MODE`] in VBE's text modes: from 108h to 10Ch, behind [`SVGA_PLANAR`].
pub(crate) const VBE_TEXT_FIRST: i32 = 0x6B;
/// The last of them.
pub(crate) const VBE_TEXT_LAST: i32 = 0x6F;
/// [`bda::MODE`] in VBE's modes of four planes that are larger than the window; those from here on are shown by the
/// display interface.
pub(crate) const VBE_PLANAR: i32 = 0x7E;
/// [`bda::MODE`] in every other VBE mode.
pub(crate) const VBE_LINEAR: i32 = 0x7F;
/// The last of the VGA's modes.
pub(crate) const LAST: i32 = 0x13;
/// A record's size, and where its fields are.
const RECORD: usize = 4;
const RECORD_MODEL: i32 = 0;
pub(crate) const RECORD_PALETTE: i32 = 1;
pub(crate) const RECORD_CGA_MODE: i32 = 2;
/// The model of a mode that does not exist.
const NO_MODEL: u8 = 0xFF;

fn mode(number: u8) -> Option<Mode> {
    let cga_modes = [0x2C, 0x28, 0x2D, 0x29, 0x2A, 0x2E, 0x1E, 0x29];
    let (model, palette) = match number {
        // The EGA's 64 colours; with 200 lines they are the CGA's, see `load_palette`.
        0..=3 | 0x6B..=0x6F => (Model::Text, Palette::Ega),
        4 | 5 => (Model::Cga4, Palette::Cga),
        6 => (Model::Cga2, Palette::Cga),
        7 => (Model::Text, Palette::Mono),
        0x0D | 0x0E => (Model::Planar, Palette::Cga),
        0x0F => (Model::Planar, Palette::Mono),
        0x10..=0x12 | 0x6A => (Model::Planar, Palette::Ega),
        0x13 => (Model::Linear, Palette::Wheels),
        _ => return None,
    };
    let cga_mode = cga_modes.get(usize::from(number)).copied().unwrap_or(0x29);
    Some(Mode {
        model,
        palette,
        cga_mode,
    })
}

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.name("mode_records")?;
    for number in (0..=0x13).chain(0x6A..=0x6F) {
        let record = mode(number).map_or([NO_MODEL, 0, 0, 0], |mode| {
            [mode.model as u8, mode.palette as u8, mode.cga_mode, 0]
        });
        debug_assert_eq!(record.len(), RECORD);
        a.db(&record)?;
    }
    find_mode(a)?;
    get_model(a)?;
    get_mode(a)
}

/// `find_mode`: SI at the record of mode AL; CF if there is none. Changes only SI.
fn find_mode(a: &mut Asm) -> Built {
    a.name("find_mode")?;
    x86!(a: movzx si, al; cmp al, SVGA_PLANAR;);
    a.when_else(
        Is::AboveOrEqual,
        |a| {
            // Their records come behind those of IBM's modes.
            x86!(a: sub si, SVGA_PLANAR - (LAST + 1); cmp al, VBE_TEXT_LAST;);
            Ok(())
        },
        |a| a.cmp(al, LAST),
    )?;
    a.when(Is::Above, |a| {
        x86!(a: stc; ret;);
        Ok(())
    })?;
    let records = a.offset("mode_records");
    x86!(a:
        shl si, 2;
        add si, records;
        // CF, if the model is NO_MODEL.
        cmp byte_ptr(si + RECORD_MODEL).cs(), i32::from(NO_MODEL);
        cmc;
        ret;
    );
    Ok(())
}

/// `get_model`: SI is the [`Model`] of the mode that is set. Changes only SI.
fn get_model(a: &mut Asm) -> Built {
    a.name("get_model")?;
    x86!(a: push ax; mov al, byte_ptr(bda::MODE););
    a.run("find_mode")?;
    a.when_else(
        Is::AboveOrEqual,
        |a| {
            x86!(a: movzx si, byte_ptr(si + RECORD_MODEL).cs(););
            Ok(())
        },
        |a| {
            x86!(a: mov si, Model::Text as i32; cmp al, VBE_PLANAR;);
            a.when(Is::Equal, |a| a.mov(si, Model::Planar as i32))?;
            a.when(Is::Above, |a| a.mov(si, Model::Linear as i32))
        },
    )?;
    x86!(a: pop ax; ret;);
    Ok(())
}

/// INT 10h, AH=0Fh.
fn get_mode(a: &mut Asm) -> Built {
    a.name("get_mode")?;
    x86!(a:
        mov al, byte_ptr(bda::CONTROL);
        and al, 0x80;
        or al, byte_ptr(bda::MODE);
        mov ah, byte_ptr(bda::COLUMNS);
        mov word_ptr(bp + frame::AX), ax;
        mov al, byte_ptr(bda::PAGE);
        mov byte_ptr(bp + frame::BH), al;
        ret;
    );
    Ok(())
}
