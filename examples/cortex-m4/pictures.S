/* The held-out pictures in flash, as picture.h describes them. */
    .section .rodata.pictures, "a"
    .global pictures
pictures:
    .incbin "digits.bin"
    .size pictures, . - pictures
