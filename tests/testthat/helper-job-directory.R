# Jobs in a directory. What works on any job is in helper-job-account.R.

directory_store <- function(env = parent.frame()) {
  path <- withr::local_tempdir("store", .local_envir = env)
  pool:::store_directory(file.path(path, "jobs"))
}

local_directory_job <- function(n = 10, id = "job", store = directory_store(env),
                                env = parent.frame()) {
  job <- store_create_job(store, id, charToRaw("the manifest"), some_tasks(n))
  withr::defer(job_close(job), envir = env)
  job
}

job_path <- function(job, ...) file.path(job$store$path, job$id, ...)

read_bytes <- function(path) readBin(path, "raw", file.size(path))

# Where bytes are in others: the position of the first one, of each place.
places_of <- function(bytes, within) {
  grepRaw(bytes, within, fixed = TRUE, all = TRUE)
}

# Changes the file of a job's tables, which must be closed: f of its bytes.
spoil <- function(job, f) {
  path <- job_path(job, "data.mdb")
  writeBin(f(read_bytes(path)), path)
}

# As C has it, a byte at a time.
crc32c <- function(bytes) {
  table <- vapply(0:255, function(b) {
    crc <- b
    for (i in 1:8) crc <- if (crc %% 2) xor32((crc - 1) / 2, 0x82f63b78) else crc / 2
    crc
  }, 0)
  crc <- 2^32 - 1
  for (b in as.integer(bytes)) {
    crc <- xor32(floor(crc / 256), table[[bitwXor(crc %% 256, b) + 1]])
  }
  2^32 - 1 - crc
}

xor32 <- function(a, b) {
  high <- bitwXor(a %/% 65536, b %/% 65536)
  low <- bitwXor(a %% 65536, b %% 65536)
  high * 65536 + low
}

# A little-endian number.
le_bytes <- function(x, n) as.raw(x %/% 256^(seq_len(n) - 1) %% 256)

# An R process that has a job open: a function of job and more, run there, which ends
# with its process.
job_session <- function(job, fun, args = list(), env = parent.frame()) {
  skip_if_not_installed("callr")
  p <- callr::r_bg(
    at_top(function(path, id, fun, args) {
      job <- pool:::store_open_job(pool:::store_directory(path), id)
      do.call(fun, c(list(job), args))
    }),
    list(job$store$path, job$id, at_top(fun), args)
  )
  withr::defer(p$kill(), envir = env)
  p
}
