//! VBE functions 00h and 01h: what the controller and what a mode can do.

use super::modes::{self, DEPTH, END, HEIGHT, NUMBER, TEXT, WIDTH};
use crate::video::dispi;
use crate::video::prelude::*;

/// The frame buffer of a display that is not on PCI, as Bochs has it.
const ISA_FRAME_BUFFER: u32 = 0xE000_0000;
/// PCI configuration mechanism 1.
const CONFIG_ADDRESS: i32 = 0xCF8;
const CONFIG_DATA: i32 = 0xCFC;
/// 1234:1111, the device first.
const PCI_ID: i32 = 0x1111_1234;
const BAR_0: i32 = 0x10;

/// Offsets in VbeInfoBlock.
mod controller {
    pub(super) const MODES: i32 = 0x22;
}

/// The one text mode with characters of 16 lines; the others have eight.
const TALL_TEXT: i32 = 0x109;

/// How many modes fit into VbeInfoBlock's reserved bytes, with the end of the list.
pub(crate) const MAX_MODES: usize = 110;

pub(crate) fn emit(a: &mut Asm) -> Built {
    a.data("oem_name", b"rax VGA BIOS\0")?;
    a.data("oem_vendor", b"rax\0")?;
    a.data("oem_product", b"rax virtual display\0")?;
    a.data("oem_revision", b"1.0\0")?;
    controller_info(a)?;
    mode_info(a)?;
    text_info(a)?;
    colours(a)?;
    frame_buffer(a)
}

/// A far pointer to a name in the image, stored at ES:DI.
fn store_pointer(a: &mut Asm, name: &'static str) -> Built {
    a.point(ax, name)?;
    x86!(a: stosw; mov ax, cs; stosw;);
    Ok(())
}

/// Function 00h: VbeInfoBlock at ES:DI; 512 bytes if it says `VBE2`, else 256.
fn controller_info(a: &mut Asm) -> Built {
    a.name("vbe_info")?;
    x86!(a:
        push di;
        mov bx, di;
        mov ebx, dword_ptr(di).es();
        xor ax, ax;
        mov cx, 0x80;
        cmp ebx, i32::from_le_bytes(*b"VBE2");
    );
    a.when(Is::Equal, |a| a.shl(cx, 1))?;
    x86!(a:
        rep_stosw;
        pop di;
        push di;
        mov eax, i32::from_le_bytes(*b"VESA");
        stosd;
        mov ax, 0x0300;
        stosw;
    );
    store_pointer(a, "oem_name")?;
    // The DAC's width can be changed.
    x86!(a:
        mov eax, 1;
        stosd;
        pop ax;
        push ax;
        add ax, controller::MODES;
        stosw;
        mov ax, es;
        stosw;
        mov al, dispi::MEMORY;
    );
    a.run("dispi_read")?;
    x86!(a: stosw; cmp ebx, i32::from_le_bytes(*b"VBE2"););
    a.when(Is::Equal, |a| {
        x86!(a: mov ax, 0x0100; stosw;);
        store_pointer(a, "oem_vendor")?;
        store_pointer(a, "oem_product")?;
        store_pointer(a, "oem_revision")
    })?;
    // The modes that there is memory for.
    x86!(a: pop di; add di, controller::MODES;);
    a.point(si, "vbe_modes")?;
    a.until(Is::Equal, |a| {
        a.run("vbe_fits")?;
        a.when(Is::AboveOrEqual, |a| {
            x86!(a: mov ax, word_ptr(si + NUMBER).cs(); stosw;);
            Ok(())
        })?;
        x86!(a: add si, 8; cmp word_ptr(si + NUMBER).cs(), END;);
        Ok(())
    })?;
    x86!(a: mov ax, END; stosw;);
    a.go("vbe_done")
}

/// Function 01h: ModeInfoBlock of mode CX at ES:DI.
fn mode_info(a: &mut Asm) -> Built {
    a.name("vbe_mode_info")?;
    x86!(a: mov bx, cx; and bx, 0x3FFF;);
    a.run("vbe_find")?;
    a.when(Is::Below, |a| a.ret())?;
    x86!(a: cmp byte_ptr(si + DEPTH).cs(), i32::from(TEXT););
    a.go_if(Is::Equal, "vbe_text_info")?;
    // Supported, optional information, output by the BIOS, colour, graphics, linear; four planes are not linear.
    x86!(a:
        push di;
        xor ax, ax;
        mov cx, 0x80;
        rep_stosw;
        pop di;
        push di;
        mov cl, byte_ptr(si + DEPTH).cs();
        mov ax, 0x9F;
        cmp cl, 4;
    );
    a.when(Is::Equal, |a| a.mov(al, 0x1F))?;
    // Window A can be read and written, there is no B; both sizes are 64 KiB.
    x86!(a:
        stosw;
        mov ax, 0x0007;
        stosw;
        mov ax, 64;
        stosw;
        stosw;
        mov ax, 0xA000;
        stosw;
        xor ax, ax;
        stosw;
    );
    store_pointer(a, "vbe_far_window")?;
    a.run("vbe_pitch")?;
    x86!(a:
        stosw;
        mov ax, word_ptr(si + WIDTH).cs();
        stosw;
        mov ax, word_ptr(si + HEIGHT).cs();
        stosw;
        mov ax, 0x1008;
        stosw;
    );
    // Planes, bits, banks, memory model.
    x86!(a: mov al, 1; mov bl, 6; cmp cl, 8;);
    a.when(Is::Equal, |a| a.mov(bl, 4))?;
    a.when(Is::Below, |a| {
        x86!(a: mov al, 4; mov bl, 3;);
        Ok(())
    })?;
    x86!(a: stosb; mov al, cl; stosb; mov al, 1; stosb; mov al, bl; stosb; mov al, 0; stosb;);
    a.run("vbe_further_pictures")?;
    x86!(a: stosb; mov ch, al; mov al, 1; stosb;);
    a.run("vbe_masks")?;
    x86!(a: mov al, 0; stosb; cmp cl, 4;);
    a.when_else(
        Is::Equal,
        |a| {
            x86!(a: xor eax, eax; stosd;);
            Ok(())
        },
        |a| {
            a.run("vbe_frame_buffer")?;
            a.stosd()
        },
    )?;
    x86!(a: xor eax, eax; stosd; stosw;);
    a.run("vbe_pitch")?;
    x86!(a: stosw; mov al, ch; stosb; stosb;);
    a.run("vbe_masks")?;
    // The pixel clock of 60 pictures a second with a third of it blank, rounded up: no limit at all.
    x86!(a: mov eax, 400_000_000; stosd; pop di;);
    a.go("vbe_done")
}

/// The same of a text mode, counted in characters: 32 KiB at B8000h.
fn text_info(a: &mut Asm) -> Built {
    a.name("vbe_text_info")?;
    x86!(a:
        push di;
        xor ax, ax;
        mov cx, 0x80;
        rep_stosw;
        pop di;
        mov word_ptr(di).es(), 0x000F;
        mov byte_ptr(di + 2).es(), 7;
        mov word_ptr(di + 4).es(), 32;
        mov word_ptr(di + 6).es(), 32;
        mov word_ptr(di + 8).es(), 0xB800;
        mov ax, word_ptr(si + WIDTH).cs();
        shr ax, 2;
        mov word_ptr(di + 16).es(), ax;
        shr ax, 1;
        mov word_ptr(di + 18).es(), ax;
        mov cl, 8;
        cmp bx, TALL_TEXT;
    );
    a.when(Is::Equal, |a| a.mov(cl, 16))?;
    x86!(a:
        mov ax, word_ptr(si + HEIGHT).cs();
        div cl;
        mov byte_ptr(di + 20).es(), al;
        mov byte_ptr(di + 22).es(), 8;
        mov byte_ptr(di + 23).es(), cl;
        mov word_ptr(di + 24).es(), 0x0404;
        mov byte_ptr(di + 26).es(), 1;
        mov byte_ptr(di + 30).es(), 1;
    );
    a.go("vbe_done")
}

fn colours(a: &mut Asm) -> Built {
    // Sizes and positions of red, green, blue and what is left.
    a.data("masks_15", &[5, 10, 5, 5, 5, 0, 1, 15])?;
    a.data("masks_16", &[5, 11, 6, 5, 5, 0, 0, 0])?;
    a.data("masks_24", &[8, 16, 8, 8, 8, 0, 0, 0])?;
    a.data("masks_32", &[8, 16, 8, 8, 8, 0, 8, 24])?;
    a.data("masks_none", &[0; 8])?;
    // Stored at ES:DI for the depth CL. Keeps CX, SI.
    a.name("vbe_masks")?;
    x86!(a: push si; push cx;);
    a.point(si, "masks_none")?;
    for (depth, masks) in [
        (15, "masks_15"),
        (16, "masks_16"),
        (24, "masks_24"),
        (32, "masks_32"),
    ] {
        x86!(a: cmp cl, depth;);
        a.when(Is::Equal, |a| a.point(si, masks))?;
    }
    x86!(a: mov cx, 8;);
    a.count_cx(|a| {
        x86!(a: mov al, byte_ptr(si).cs(); inc si; stosb;);
        Ok(())
    })?;
    x86!(a: pop cx; pop si; ret;);

    // AL: how many further pictures of the record at SI fit into the memory, at most 255. Changes EAX.
    a.name("vbe_further_pictures")?;
    x86!(a: push edx; push ecx;);
    a.run("vbe_picture_size")?;
    x86!(a: mov ecx, eax;);
    a.run("vbe_memory")?;
    x86!(a: xor edx, edx; div ecx; dec eax; cmp eax, 0xFF;);
    a.when(Is::Above, |a| a.mov(al, 0xFF))?;
    x86!(a: pop ecx; pop edx; ret;);
    Ok(())
}

/// `vbe_frame_buffer`: EAX is its address: BAR 0 of our device on bus 0, where the system BIOS put it.
fn frame_buffer(a: &mut Asm) -> Built {
    a.name("vbe_frame_buffer")?;
    x86!(a:
        push ebx;
        push ecx;
        push edx;
        mov dx, CONFIG_ADDRESS;
        in_ eax, dx;
        push eax;
        mov ecx, 0x8000_0000u32;
    );
    a.until(Is::Equal, |a| {
        x86!(a:
            mov eax, ecx;
            mov dx, CONFIG_ADDRESS;
            out dx, eax;
            mov dx, CONFIG_DATA;
            in_ eax, dx;
            cmp eax, PCI_ID;
        );
        a.go_if(Is::Equal, "vbe_on_pci")?;
        // The next device, function 0.
        x86!(a: add ecx, 0x800; cmp ecx, 0x8001_0000u32;);
        Ok(())
    })?;
    x86!(a: mov ebx, ISA_FRAME_BUFFER;);
    a.go("vbe_frame_buffer_found")?;
    a.name("vbe_on_pci")?;
    x86!(a:
        lea eax, dword_ptr(ecx + BAR_0);
        mov dx, CONFIG_ADDRESS;
        out dx, eax;
        mov dx, CONFIG_DATA;
        in_ eax, dx;
        and al, 0xF0;
        mov ebx, eax;
    );
    a.name("vbe_frame_buffer_found")?;
    x86!(a:
        pop eax;
        mov dx, CONFIG_ADDRESS;
        out dx, eax;
        mov eax, ebx;
        pop edx;
        pop ecx;
        pop ebx;
        ret;
    );
    debug_assert!(modes::all().len() < MAX_MODES);
    Ok(())
}
