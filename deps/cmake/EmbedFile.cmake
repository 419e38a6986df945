# Writes OUTPUT, a C file with the function `slice_t NAME(void)` of NAME.h, which gives the bytes of INPUT.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"${NAME}.h\"

static const unsigned char BYTES[] = {
${bytes}
};

slice_t ${NAME}(void)
{
    return (slice_t){(const char *)BYTES, sizeof(BYTES)};
}
")
