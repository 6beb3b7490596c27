# nncc_embed_text(OUT BASE FILE...): writes the C file OUT, which defines `runtime_texts` (codegen/codegen.h): one row
# per FILE, its name relative to BASE and its bytes as a string, ended by a row of NULLs. Run again with -P, as the
# build does, it is the script that writes OUT.
function(nncc_embed_text out base)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DBASE=${base} "-DFILES=${ARGN}" -P ${CMAKE_SOURCE_DIR}/cmake/EmbedText.cmake
        DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/EmbedText.cmake
        COMMENT "Embedding the texts of runtime/" VERBATIM)
endfunction()

# Sets `var` to the bytes of `file` as the initialiser of a char array: decimal numbers, not a string literal, because
# C99 promises no more than 4,095 characters in one.
function(embed_bytes var file)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    set(${var} "${hex}0" PARENT_SCOPE)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
    set(arrays "")
    set(rows "")
    set(count 0)
    list(SORT FILES)
    foreach(file IN LISTS FILES)
        embed_bytes(bytes ${file})
        file(RELATIVE_PATH name ${BASE} ${file})
        string(APPEND arrays "static const unsigned char text_${count}[] = {\n${bytes}};\n\n")
        string(APPEND rows "    {\"${name}\", (const char *)text_${count}},\n")
        math(EXPR count "${count} + 1")
    endforeach()
    file(WRITE ${OUT} "/* Written by cmake/EmbedText.cmake from runtime/. */\n#include \"codegen/codegen.h\"\n\n"
        "#include <stddef.h>\n\n${arrays}const struct runtime_text runtime_texts[] = {\n${rows}    {NULL, NULL},\n};\n")
endif()
