# What the compiler is told for a package under the sanitizers: read by R in
# place of the user's Makevars.
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS = -g -O1 -fno-omit-frame-pointer -Wall -Wextra \
  -Wno-cast-function-type $(SANITIZE)
# The runtime for undefined behaviour goes into the package and binds to itself:
# beside the one for addresses, a shared one loses its log_path.
LDFLAGS = $(SANITIZE) -static-libubsan -Wl,-Bsymbolic
