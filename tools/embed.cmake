# embed.cmake - files as C bytes: cmake -DOUT=page_files.h -DFILES="a;b" -P embed.cmake
# Each becomes one line of a table: EMBED("name", bytes...).
set(text "/* Made by tools/embed.cmake. */\n")
foreach(file IN LISTS FILES)
    get_filename_component(name "${file}" NAME)
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND text "EMBED(\"${name}\", ${bytes})\n")
endforeach()
file(WRITE "${OUT}" "${text}")
