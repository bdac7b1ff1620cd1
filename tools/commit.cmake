# commit.cmake - writes OUT, a header with the commit that is built, when it changed.
# usage: cmake -DREPO=DIR -DOUT=FILE -P commit.cmake
cmake_minimum_required(VERSION 3.25)
find_package(Git QUIET)
set(commit "unknown")
if(GIT_FOUND AND EXISTS ${REPO}/.git)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${REPO} describe --always --abbrev=10 --dirty --exclude=*
        OUTPUT_VARIABLE described RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT failed)
        set(commit ${described})
    endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define ISOBIT_COMMIT \"@commit@\"\n" @ONLY)
