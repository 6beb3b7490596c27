# nncc_add_model(TARGET MODEL [NAME id] [FLAGS flag...])
#
# Compiles the ONNX file MODEL to C when the build runs and gives it to TARGET: an existing library or program gets the
# C file as a source; any other name becomes a static library. Users of TARGET can `#include "id.h"` and call id_run().
#   NAME   the C prefix; default: the model's file name without its ending, made a C identifier
#   FLAGS  further flags for nncc, such as --dim=batch=1
# The model and every weight file it refers to are dependencies: nncc writes them into a -MD file.
function(nncc_add_model target model)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME" "FLAGS")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "nncc_add_model: unknown argument '${arg_UNPARSED_ARGUMENTS}'")
    endif()
    cmake_path(ABSOLUTE_PATH model BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    if(NOT arg_NAME)
        cmake_path(GET model STEM LAST_ONLY stem)
        string(MAKE_C_IDENTIFIER "${stem}" arg_NAME)
    endif()
    set(dir ${CMAKE_CURRENT_BINARY_DIR}/nncc-${target})
    set(base ${dir}/${arg_NAME})
    file(MAKE_DIRECTORY ${dir})
    add_custom_command(OUTPUT ${base}.c ${base}.h
        COMMAND nncc::nncc ${model} -o ${base}.c --name=${arg_NAME} -MD -MF=${base}.d ${arg_FLAGS}
        MAIN_DEPENDENCY ${model} DEPENDS nncc::nncc DEPFILE ${base}.d
        COMMENT "nncc ${model}" VERBATIM)
    if(NOT TARGET ${target})
        add_library(${target} STATIC)
    endif()
    target_sources(${target} PRIVATE ${base}.c ${base}.h)
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${dir}>)
    target_link_libraries(${target} PUBLIC m)
endfunction()
