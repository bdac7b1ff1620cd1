# cuda.cmake - the kernels of src/device/cuda/kernels/ to fat binaries inside the program, where there is
# an nvcc. Without one the program is the same less its kernels, and says so when a GPU is asked for.
# Sets CUDA_CARDS, empty where there are none. Included by CMakeLists.txt after isobit_core.
set(ISOBIT_CUDA AUTO CACHE STRING "Kernels for NVIDIA cards: ON, OFF, or AUTO: if there is an nvcc")
# 75: code for 7.5; 90p: PTX, which the driver compiles for what is newer. Those that nvcc does not know are left out:
# CUDA 13 has no 61 and 70. A few by default, as each is half a minute or more of a processor; the preset "dist" has all.
set(ISOBIT_CUDA_CARDS "90 75p 80p" CACHE STRING "Compute capabilities")
set(CUDA_CARDS "")
file(GLOB CUDA_KERNELS CONFIGURE_DEPENDS src/device/cuda/kernels/*.cu)
if(ISOBIT_CUDA STREQUAL "OFF" OR NOT CUDA_KERNELS)
    return()
endif()
find_program(NVCC nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
if(NOT NVCC)
    if(ISOBIT_CUDA STREQUAL "ON")
        message(FATAL_ERROR "ISOBIT_CUDA is ON, but there is no nvcc in PATH, CUDA_HOME or /usr/local/cuda")
    endif()
    return()
endif()
execute_process(COMMAND ${NVCC} --list-gpu-arch OUTPUT_VARIABLE known RESULT_VARIABLE failed ERROR_QUIET)
execute_process(COMMAND ${NVCC} --help OUTPUT_VARIABLE help ERROR_QUIET)
if(failed)
    message(WARNING "${NVCC} does not run: no kernels")
    return()
endif()
# The arithmetic is that of docs/arithmetic.md, R1: nothing is fused, nothing flushed.
set(flags -fatbin -O3 -std=c++20 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true -I ${PROJECT_SOURCE_DIR}/src)
if(help MATCHES "--compress-mode")
    list(APPEND flags --compress-mode=size)
endif()
if(ISOBIT_WERROR)
    list(APPEND flags -Werror all-warnings)
endif()
separate_arguments(cards UNIX_COMMAND "${ISOBIT_CUDA_CARDS}")
set(least 1000)
foreach(card IN LISTS cards)
    string(REGEX MATCH "^[0-9]+" number ${card})
    if(NOT "${known}" MATCHES "compute_${number}[\r\n]")
        continue()
    endif()
    if(card MATCHES "p$")
        list(APPEND flags -gencode arch=compute_${number},code=compute_${number})
    else()
        list(APPEND flags -gencode arch=compute_${number},code=sm_${number})
    endif()
    if(number LESS least)
        set(least ${number})
    endif()
    string(APPEND CUDA_CARDS " ${card}")
endforeach()
string(STRIP "${CUDA_CARDS}" CUDA_CARDS)
set(images "")
set(fatbins "")
foreach(source IN LISTS CUDA_KERNELS)
    get_filename_component(name ${source} NAME_WE)
    set(fatbin ${CMAKE_CURRENT_BINARY_DIR}/generated/kernels/${name}.fatbin)
    add_custom_command(OUTPUT ${fatbin} DEPENDS ${source} DEPFILE ${fatbin}.d
        COMMAND ${NVCC} ${flags} -MD -MF ${fatbin}.d -MT ${fatbin} -o ${fatbin} ${source}
        COMMENT "Compiling kernels ${name} for ${CUDA_CARDS}" VERBATIM)
    list(APPEND fatbins ${fatbin})
    string(APPEND images " \\\n    X(${name}, \"${fatbin}\")")
endforeach()
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/generated/kernels)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/cuda_images.h @ONLY CONTENT
"/* Made by tools/cuda.cmake. */
#define CUDA_CARDS \"@CUDA_CARDS@\"
#define CUDA_LEAST @least@
#define CUDA_IMAGES(X)@images@
")
target_sources(isobit_core PRIVATE ${fatbins})
set_source_files_properties(src/device/cuda/image.c PROPERTIES OBJECT_DEPENDS "${fatbins}"
    COMPILE_OPTIONS "-I${CMAKE_CURRENT_BINARY_DIR}/generated;-DISOBIT_HAVE_KERNELS")
