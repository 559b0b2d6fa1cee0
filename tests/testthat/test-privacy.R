# What a pool is made of, nobody else on the machine can reach.

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("directories are the user's alone,", type), {
      local_pool(2, type = type)
      homes <- unlist(pool_call(tempdir))
      base <- unique(dirname(homes))
      expect_length(base, 1)
      expect_identical(format(file.mode(c(homes, base))), rep("700", 3))
      expect_identical(unique(file.info(c(homes, base))$uname), Sys.info()[["effective_user"]])
    })

    test_that(paste("sockets have no name, and listen to nobody,", type), {
      skip_if(!file.exists("/proc/net/unix"), "no /proc")
      local_pool(2, type = type)
      pool_lapply(1:100, identity)
      nodes <- node_pids()
      template <- unique(process_info(nodes)$parent)
      links <- unlist(lapply(c(nodes, template), function(pid) {
        suppressWarnings(Sys.readlink(list.files(file.path("/proc", pid, "fd"), full.names = TRUE)))
      }))
      inodes <- sub("socket:\\[(.*)\\]", "\\1", grep("^socket:", links, value = TRUE))
      expect_gt(length(inodes), 0)
      named <- strsplit(trimws(readLines("/proc/net/unix")[-1]), " +")
      named <- vapply(named, function(x) if (length(x) > 7) x[[7]] else "", "")
      expect_false(any(inodes %in% named))
      for (table in c("tcp", "tcp6", "udp", "udp6")) {
        file <- file.path("/proc/net", table)
        if (!file.exists(file)) next
        rows <- strsplit(trimws(readLines(file)[-1]), " +")
        expect_false(any(inodes %in% vapply(rows, `[[`, "", 10)))
      }
    })
  })
}

test_that("shared memory has no name", {
  skip_if(!dir.exists("/dev/shm"), "no /dev/shm")
  before <- list.files("/dev/shm", all.files = TRUE)
  local_pool(2)
  x <- runif(3e5)
  pool_export("x", environment())
  found <- pool_lapply(1:4, at_top(function(i) rep(i, 3e5)))
  expect_identical(setdiff(list.files("/dev/shm", all.files = TRUE), before), character())
  expect_length(found, 4)
})

test_that("nothing of a call is in the arguments or the environment of a process", {
  local_pool(2)
  secret <- paste0("secret", sample.int(1e9, 1))
  pool_lapply(1:2, function(i, key) nchar(key), secret)
  nodes <- node_pids()
  for (pid in c(nodes, unique(process_info(nodes)$parent))) {
    for (file in file.path("/proc", pid, c("cmdline", "environ"))) {
      skip_if(!file.exists(file), "no /proc")
      bytes <- readBin(file, "raw", 1e6)
      expect_length(grepRaw(secret, bytes, fixed = TRUE), 0)
    }
  }
})
