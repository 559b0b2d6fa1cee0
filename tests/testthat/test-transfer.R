# Many transfers at once: blocks, ranges, digests, faults.

block <- 1000

expect_all_well <- function(result) {
  expect_identical(result$error, rep(NA_character_, length(result$error)))
}

test_that("any size goes there and back, from files and memory, whatever the blocks", {
  url <- engine_container()
  directory <- withr::local_tempdir()
  sizes <- c(0, 1, block - 1, block, block + 1, 2 * block, 7 * block + 13)
  bytes <- lapply(sizes, random_bytes)
  for (md5 in c(FALSE, TRUE)) {
    for (type in c("BlockBlob", "AppendBlob")) {
      names <- paste0(type, seq_along(sizes))
      files <- mapply(file_of, bytes, directory, names)
      for (source in list(bytes, files)) {
        sent <- upload(url, names, source, blobtype = type, blocksize = block, md5 = md5)
        expect_all_well(sent)
        expect_identical(sent$size, as.double(sizes))
        expect_identical(sent$status, rep(201L, length(sizes)))
        expect_identical(sent$attempts, rep(1L, length(sizes)))
        got <- fetch(url, names, blocksize = block, md5 = md5)
        expect_all_well(got)
        expect_identical(got$value, bytes)
        copies <- file.path(directory, paste0(names, ".copy"))
        got <- download(url, names, copies, blocksize = 777, md5 = md5)
        expect_all_well(got)
        expect_identical(got$size, as.double(sizes))
        expect_identical(got$value, vector("list", length(sizes)))
        expect_identical(lapply(copies, bytes_of), bytes)
      }
    }
  }
  expect_identical(leftovers(directory), character())
})

test_that("no transfers are none, and many are many", {
  url <- engine_container()
  none <- upload(url, character(), list())
  expect_identical(lengths(none), setNames(rep(0L, 9), c(
    "size", "seconds", "attempts", "status", "code", "request_id", "error", "digest", "value"
  )))
  bytes <- lapply(1:300, function(i) as.raw(c(i %% 256, i %/% 256)))
  names <- paste0("n", 1:300)
  for (most in c(1, 3, 64)) {
    expect_all_well(upload(url, names, bytes, max_concurrent_transfers = most))
    expect_identical(fetch(url, names, max_concurrent_transfers = most)$value, bytes)
  }
})

test_that("headers go where they belong", {
  url <- engine_container()
  headers <- c("x-ms-meta-a" = "b c", "x-ms-blob-content-type" = "text/x", "If-None-Match" = "*")
  for (size in c(10, 2500)) {
    name <- paste0("b", size)
    sent <- upload(url, name, list(random_bytes(size)), headers = headers, blocksize = block)
    expect_all_well(sent)
    again <- upload(url, name, list(raw(3)), headers = headers, blocksize = block)
    expect_identical(again$status, 409L)
    expect_identical(again$code, "BlobAlreadyExists")
    expect_match(again$error, "409 BlobAlreadyExists")
    head <- pool:::http_request(engine_endpoint(), "HEAD", paste0(url, "/", name))$headers
    expect_identical(head[["x-ms-meta-a"]], "b c")
    expect_identical(head[["content-type"]], "text/x")
    expect_identical(head[["content-length"]], as.character(size))
    etag <- head[["etag"]]
    expect_all_well(fetch(url, name, headers = c("If-Match" = etag), blocksize = block))
    unchanged <- fetch(url, name, headers = c("If-None-Match" = etag), blocksize = block)
    expect_identical(unchanged$status, 304L)
  }
  snapshot <- pool:::http_request(engine_endpoint(), "PUT", paste0(url, "/b2500?comp=snapshot"))
  then <- fetch(url, "b2500")$value
  upload(url, "b2500", list(raw(5)))
  at <- sub(":", "%3A", snapshot$headers[["x-ms-snapshot"]], fixed = TRUE)
  expect_identical(fetch(url, paste0("b2500?snapshot=", at), blocksize = block)$value, then)
})

test_that("what is only made where nothing is yet is made, also if the answer gets lost", {
  url <- engine_container()
  new <- c("If-None-Match" = "*")
  put <- function(url, name, bytes) upload(url, name, list(bytes), headers = new, blocksize = block)
  for (size in c(0, 10, 2500)) {
    bytes <- random_bytes(size)
    name <- paste0("b", size)
    last <- if (size > block) "comp=blocklist" else name
    expect_all_well(put(through(url, sprintf("PUT|%s|1|lost", last)), name, bytes))
    expect_identical(fetch(url, name)$value, list(bytes))
    # Of somebody else there is another content, or of the same length.
    others <- list(rev(bytes)[-1], if (size) c(!bytes[1], bytes[-1]) else raw(1))
    for (other in others[seq_len(1 + (size > 0))]) {
      at <- through(url, sprintf("PUT|%s|1|reset", last))
      if (size == 0) other <- raw(1)
      refused <- put(at, name, other)
      expect_identical(refused$status, 409L)
      expect_identical(refused$code, "BlobAlreadyExists")
      expect_match(refused$error, "PUT .*: 409 BlobAlreadyExists$")
      expect_gt(refused$attempts, 1L)
    }
    # At the first try it is somebody else's, whatever it is.
    expect_identical(put(url, name, bytes)$status, 409L)
    expect_identical(fetch(url, name)$value, list(bytes))
  }
})

test_that("a leased blob is written with its lease alone, block by block too", {
  url <- engine_container()
  for (type in c("BlockBlob", "AppendBlob")) {
    name <- paste0("leased", type)
    upload(url, name, list(raw(1)), blobtype = type)
    lease <- pool:::http_request(engine_endpoint(), "PUT", paste0(url, "/", name, "?comp=lease"),
      c("x-ms-lease-action" = "acquire", "x-ms-lease-duration" = "-1")
    )$headers[["x-ms-lease-id"]]
    bytes <- random_bytes(3500)
    without <- upload(url, name, list(bytes), blobtype = type, blocksize = block)
    expect_identical(without$status, 412L)
    expect_identical(without$code, "LeaseIdMissing")
    with <- upload(url, name, list(bytes),
      blobtype = type, blocksize = block, headers = c("x-ms-lease-id" = lease)
    )
    expect_all_well(with)
    expect_identical(fetch(url, name)$value, list(bytes))
    pool:::http_request(engine_endpoint(), "PUT", paste0(url, "/", name, "?comp=lease"),
      c("x-ms-lease-action" = "break", "x-ms-lease-break-period" = "0")
    )
  }
})

test_that("a failure is a row, the others go on", {
  url <- engine_container()
  directory <- withr::local_tempdir()
  good <- file_of(random_bytes(2500), directory, "good")
  absent <- file.path(directory, "absent")
  before <- open_files()
  sent <- upload(url, c("a", "b", "c", "d"), c(good, absent, directory, good), blocksize = block)
  expect_identical(is.na(sent$error), c(TRUE, FALSE, FALSE, TRUE))
  expect_match(sent$error[2], "cannot read '.*absent'")
  got <- download(url, c("a", "nope", "d", "d"), list(
    absent, file.path(directory, "x"), directory, file.path(directory, "no", "such", "place")
  ), blocksize = block)
  expect_identical(is.na(got$error), c(TRUE, FALSE, FALSE, FALSE))
  expect_identical(got$status, c(206L, 404L, NA, NA))
  expect_identical(got$code, c("", "BlobNotFound", "", ""))
  expect_true(nzchar(got$request_id[2]))
  expect_identical(bytes_of(absent), bytes_of(good))
  expect_setequal(dir(directory, all.files = TRUE, no.. = TRUE), c("good", "absent"))
  expect_lte(open_files(), before + 4) # connections kept alive
})

test_that("a destination stays as it is until all is there", {
  url <- engine_container()
  directory <- withr::local_tempdir()
  old <- random_bytes(10)
  path <- file_of(old, directory)
  upload(url, "b", list(random_bytes(5000)))
  kept <- download(url, "b", path, overwrite = FALSE)
  expect_match(kept$error, "exists already")
  expect_identical(bytes_of(path), old)
  withr::local_options(pool.http_retries = 1)
  # The first range comes, another does not.
  at <- through(url, "GET|/b|1|slow:1", "GET|/b|2|slow:1", "GET|/b|99|half")
  failed <- download(at, "b", path, blocksize = block)
  expect_false(is.na(failed$error))
  expect_identical(failed$status, NA_integer_)
  expect_identical(bytes_of(path), old)
  expect_identical(dir(directory, all.files = TRUE, no.. = TRUE), "file")
  expect_match(download(url, "b", "/dev/null")$error, "not a file")
})

test_that("faults on the way are got over, and what comes is right", {
  url <- engine_container()
  directory <- withr::local_tempdir()
  withr::local_options(pool.http_timeout = 1)
  bytes <- random_bytes(20 * block)
  small <- lapply(1:20, function(i) random_bytes(i * 10))
  names <- paste0("s", 1:20)
  faults <- c("status:503", "after:429:0", "status:500", "reset", "lost", "half")
  for (type in c("BlockBlob", "AppendBlob")) {
    # one of each: an append blob's first request may meet them all
    at <- through(url, sprintf("*|/%s|1|%s", c("b", "s1"), rep(faults, each = 2)))
    for (name in c("b", names)) {
      pool:::http_request(engine_endpoint(), "DELETE", paste0(url, "/", name))
    }
    sent <- upload(at, c("b", names), c(list(bytes), small), blobtype = type, blocksize = block)
    expect_all_well(sent)
    expect_gt(sent$attempts[1], 1L)
    path <- file.path(directory, type)
    at <- through(url, sprintf("GET|/%s|1|%s", c("b", "s1"), rep(faults, each = 2)))
    expect_all_well(download(at, "b", path, blocksize = block))
    expect_identical(bytes_of(path), bytes)
    expect_identical(fetch(at, c("b", names), blocksize = block)$value, c(list(bytes), small))
  }
  at <- through(url, "PUT|/b|1|stall", "GET|/b|1|hang")
  expect_all_well(upload(at, "b2", list(bytes), blocksize = block))
  expect_identical(fetch(at, "b2", blocksize = block)$value, list(bytes))
  expect_identical(leftovers(directory), character())
})

test_that("digests find what was changed on the way", {
  url <- engine_container()
  directory <- withr::local_tempdir()
  bytes <- random_bytes(5 * block)
  path <- file.path(directory, "file")
  for (size in c(block, 10 * block)) {
    for (type in c("BlockBlob", "AppendBlob")) {
      at <- through(url, "PUT|/b|1|slow:1", "PUT|/b|1|garble", "PUT|/b|1|garble")
      sent <- upload(at, c("a/b", "c/b"), list(bytes, bytes),
        blobtype = type, blocksize = size, md5 = TRUE, max_concurrent_transfers = 1
      )
      expect_true(400L %in% sent$status)
      expect_false(all(is.na(sent$error)))
    }
  }
  expect_all_well(upload(url, "b", list(bytes), blocksize = block, md5 = TRUE))
  for (size in c(block, 10 * block)) {
    at <- through(url, "GET|/b|1|flip")
    got <- download(at, "b", path, blocksize = size, md5 = TRUE)
    expect_match(got$error, "MD5")
    expect_false(file.exists(path))
    at <- through(url, "GET|/b|1|flip")
    expect_match(fetch(at, "b", blocksize = size, md5 = TRUE)$error, "MD5")
    at <- through(url, "GET|/b|1|flip")
    expect_all_well(fetch(at, "b", blocksize = size)) # nobody asked
  }
  head <- pool:::http_request(engine_endpoint(), "HEAD", paste0(url, "/b"))$headers
  expect_identical(head[["content-md5"]], pool:::md5_text(bytes))
})

test_that("a blob that changes while it is received is an error", {
  url <- engine_container()
  bytes <- random_bytes(20 * block)
  upload(url, "b", list(bytes))
  at <- through(url, "GET|/b|99|slow:400")
  changed <- FALSE
  change <- function(files_done, files, bytes_done, bytes) {
    if (bytes_done > 0 && !changed) {
      changed <<- TRUE
      upload(url, "b", list(rev(bytes_of_blob)))
    }
  }
  bytes_of_blob <- bytes
  got <- fetch(at, "b", blocksize = block, progress = change, max_concurrent_transfers = 2)
  expect_true(changed)
  expect_identical(got$status, 412L)
  expect_identical(got$value, list(NULL))
})

test_that("a file that changes while it is sent is an error, and makes no blob", {
  url <- engine_container()
  directory <- withr::local_tempdir()
  path <- file.path(directory, "file")
  for (change in list(
    function() writeBin(as.raw(1:9), path), # shorter
    function() cat("more", file = path, append = TRUE)
  )) {
    writeBin(random_bytes(20 * block), path)
    at <- through(url, "PUT|/b|99|slow:300")
    changed <- FALSE
    sent <- upload(at, "b", path, blocksize = block, max_concurrent_transfers = 2,
      progress = function(files_done, files, bytes_done, bytes) {
        if (bytes_done > 0 && !changed) {
          changed <<- TRUE
          change()
        }
      }
    )
    expect_true(changed)
    expect_match(sent$error, "shorter|changed")
    expect_identical(fetch(url, "b")$status, 404L)
  }
})

test_that("two who write one blob at once do not mix their blocks", {
  url <- engine_container()
  one <- random_bytes(10 * block)
  other <- random_bytes(10 * block)
  at <- through(url, "PUT|/b|99|slow:50")
  met <- FALSE
  sent <- upload(at, "b", list(one), blocksize = block, max_concurrent_transfers = 2,
    progress = function(files_done, files, bytes_done, bytes) {
      if (bytes_done > 0 && !met) {
        met <<- TRUE
        # Its list of blocks throws away those that are not in it.
        expect_all_well(upload(url, "b", list(other), blocksize = block))
      }
    }
  )
  expect_true(met)
  got <- fetch(url, "b")$value[[1]]
  expect_true(identical(got, one) && is.na(sent$error) || identical(got, other))
})

test_that("progress is told, in order, and to the end", {
  url <- engine_container()
  told <- list()
  bytes <- lapply(1:30, function(i) random_bytes(2 * block))
  at <- through(url, "PUT|/|99|slow:30")
  upload(at, paste0("p", 1:30), bytes, blocksize = block,
    progress = function(...) told[[length(told) + 1L]] <<- c(...)
  )
  told <- do.call(rbind, told)
  expect_false(is.unsorted(told[, 1]))
  expect_true(all(told[, 2] == 30))
  expect_true(all(told[, 3] <= told[, 4]))
  expect_identical(told[nrow(told), ], c(30, 30, 30 * 2 * block, 30 * 2 * block))
  e <- error_of(upload(url, "p", list(raw(1)), progress = function(...) stop("mine")))
  expect_identical(conditionMessage(e), "mine")
  expect_all_well(upload(url, "p", list(raw(1))))
})

test_that("an interrupt leaves nothing half written", {
  url <- engine_container()
  directory <- withr::local_tempdir()
  old <- random_bytes(10)
  path <- file_of(old, directory)
  bytes <- random_bytes(20 * block)
  upload(url, "b", list(bytes))
  before <- open_files()
  at <- through(url, "*|/b|999|slow:200")
  interrupted(download(at, "b", path, blocksize = block, max_concurrent_transfers = 2))
  expect_identical(bytes_of(path), old)
  expect_identical(dir(directory, all.files = TRUE, no.. = TRUE), "file")
  interrupted(upload(at, "b", list(rev(bytes)), blocksize = block, max_concurrent_transfers = 2))
  expect_identical(fetch(url, "b")$value, list(bytes))
  expect_lte(open_files(), before + 2)
})

test_that("too much asked at once is asked for more slowly", {
  url <- engine_container()
  at <- through(url, "PUT|/s|60|status:503")
  bytes <- lapply(1:60, function(i) random_bytes(100))
  sent <- upload(at, paste0("s", 1:60), bytes, max_concurrent_transfers = 32)
  expect_all_well(sent)
  expect_identical(sum(sent$attempts), 120L)
  expect_identical(fetch(url, paste0("s", 1:60))$value, bytes)
})

test_that("a service that restarts is waited for", {
  programs <- Sys.getenv("AZURITE_PROGRAMS")
  skip_if(!nzchar(programs), "Azurite is not running: make test starts it")
  directory <- withr::local_tempdir()
  start <- function(port) {
    azurite <- processx::process$new(file.path(programs, "azurite-blob"), c(
      "--blobPort", port, "--location", directory, "--skipApiVersionCheck",
      "--disableTelemetry", "--silent"
    ), wd = directory, stdout = "|", stderr = NULL)
    line <- character()
    while (length(line) == 0 && azurite$is_alive()) {
      azurite$poll_io(1000)
      line <- grep("successfully listens", azurite$read_output_lines(), value = TRUE)
    }
    list(process = azurite, port = sub(".*:", "", line))
  }
  azurite <- start(0)
  withr::defer(azurite$process$kill())
  endpoint <- engine_endpoint(azurite$port)
  url <- paste0(endpoint$url, "/restarts")
  pool:::http_request(endpoint, "PUT", paste0(url, "?restype=container"))
  names <- c("large", paste0("s", 1:200))
  bytes <- c(list(random_bytes(2e6)), lapply(1:200, function(i) random_bytes(1000)))
  for (way in c("up", "down")) {
    restarted <- FALSE
    restart <- function(files_done, files, bytes_done, bytes) {
      if (files_done >= 50 && !restarted) {
        restarted <<- TRUE
        azurite$process$signal(15)
        azurite$process$wait(10000)
        azurite <<- start(azurite$port)
      }
    }
    result <- if (way == "up") {
      upload(url, names, bytes, endpoint = endpoint, blocksize = 1e5, progress = restart)
    } else {
      fetch(url, names, endpoint = endpoint, blocksize = 1e5, progress = restart)
    }
    expect_all_well(result)
  }
  expect_identical(result$value, bytes)
})

test_that("a large file is not held in memory", {
  skip_if(!file.exists("/proc/self/status"), "no /proc")
  url <- engine_container()
  directory <- withr::local_tempdir()
  path <- file.path(directory, "large")
  chunk <- random_bytes(1e6)
  con <- file(path, "wb")
  for (i in 1:100) writeBin(chunk, con)
  close(con)
  kb <- in_session(function(url, endpoint, path) {
    used <- function(what) {
      line <- grep(what, readLines("/proc/self/status"), value = TRUE)
      as.numeric(gsub("[^0-9]", "", line))
    }
    run <- function(verb, local) {
      pool:::run_transfers(endpoint, list(
        verb = verb, url = paste0(url, "/large"), local = list(local), headers = list(NULL),
        blobtype = "BlockBlob", blocksize = 2^24, md5 = TRUE, overwrite = TRUE
      ))$error
    }
    before <- used("VmRSS")
    stopifnot(is.na(run("upload", path)), is.na(run("download", paste0(path, "2"))))
    used("VmHWM") - before
  }, list(url, engine_endpoint(), path))
  expect_lt(kb, 32 * 1024)
  expect_identical(unname(tools::md5sum(path)), unname(tools::md5sum(paste0(path, "2"))))
})

test_that("what is given wrongly is refused before", {
  expect_identical(
    error_of(upload("http://example.com/x", "b", list(raw(1)), endpoint = list()))$argument, "url"
  )
  e <- error_of(upload("http://127.0.0.1:1/x", "b", list(raw(1)),
    endpoint = list(), headers = c(a = "b\nc: d")
  ))
  expect_identical(e$argument, "headers")
  e <- error_of(upload("http://127.0.0.1:1/x", "b", list(raw(1)),
    endpoint = list(), max_concurrent_transfers = 0
  ))
  expect_identical(e$argument, "max_concurrent_transfers")
})
