// `skein inspect`: the bytes of frames, logs and blocks for people to read.
