// The smallest guest: its first instructions write '!' to the serial line.
// As a multiboot kernel (MULTIBOOT) or as a BIOS image of 64 KiB.
#if defined(MULTIBOOT)
    .long 0x1badb002, 0, -0x1badb002
    .globl _start
_start:
    .code32
#else
    .code16
#endif
first:
    movw $0x3f8, %dx
    movb $'!', %al
    outb %al, %dx
    movb $'\n', %al
    outb %al, %dx
wait:
    hlt
    jmp wait
#if !defined(MULTIBOOT)
    .org 0xfff0
    .globl _start
_start: // The reset vector.
    ljmp $0xf000, $0
    .org 0x10000
#endif
