# Tasks where they run. Most of it can be seen in this process.

pack <- pool:::job_pack
unpack <- pool:::job_unpack

# A batch of these values, run: what has come of it, results unpacked.
run_batch <- function(fun, values, ..., kind = "lapply", args = list(), capture = TRUE,
                      globals = NULL) {
  m <- pool:::job_manifest_new(kind, at_top(fun), args, list(...), NULL, globals, character())
  batch <- list(task = as.numeric(seq_along(values)), data = lapply(values, pack))
  out <- pool:::run_task_batch(batch, m, "the-job", capture)
  out$value <- lapply(out$result, unpack)
  out
}

text_of <- function(out, path) {
  data <- Filter(function(f) f$path == path, out$files)
  if (length(data)) rawToChar(data[[1]]$data)
}

test_that("values come back in order, with the time they took", {
  out <- run_batch(function(x, y) x + y, 1:4, args = list(y = 10))
  expect_identical(out$task, as.numeric(1:4))
  expect_identical(out$status, rep("completed", 4))
  expect_identical(out$value, as.list(1:4 + 10))
  expect_null(out$files)
  expect_true(all(out$seconds >= 0 & out$seconds < 5))
  # Language as value or argument is data.
  out <- run_batch(function(x, y) list(x, y), list(quote(a + b)), args = list(quote(z)))
  expect_identical(out$value, list(list(quote(a + b), quote(z))))
  expect_identical(run_batch(function(x) NULL, 1)$value, list(NULL))
})

test_that("a batch ends when it takes too long, with what is done", {
  out <- run_batch(function(x) Sys.sleep(0.07), 1:50)
  expect_lt(length(out$task), 10)
  expect_gt(length(out$task), 0)
  expect_length(out$result, length(out$task))
  expect_length(run_batch(function(x) Sys.sleep(0.3), 1:3)$task, 1)
})

test_that("an error is recorded with condition and traceback, and the others run", {
  local_globals(
    inner = at_top(function(x) stop(errorCondition("bad ", class = "special", data = x))),
    outer = at_top(function(x) inner(x))
  )
  out <- run_batch(function(x) if (x == 2) outer(x) else x, 1:3)
  expect_identical(out$status, c("completed", "failed", "completed"))
  failed <- out$value[[2]]
  expect_s3_class(failed$condition, "special")
  expect_identical(failed$condition$data, 2L)
  expect_identical(failed$traceback[1:3], c("FUN(X, ...)", "outer(x)", "inner(x)"))
  expect_match(text_of(out, "logs/2.txt"), "error: bad .*inner\\(x\\)")
  # The same where the user's own process runs it.
  out <- run_batch(function(x) if (x == 2) outer(x) else x, 1:3, capture = FALSE)
  expect_identical(out$value[[2]], failed)
})

test_that("errors of all kinds are the task's", {
  out <- run_batch(function(x) {
    switch(x,
      stop(),
      signalCondition(simpleError("signalled")),
      f <- function() f(),
      get("no such thing"),
      stop(structure(class = c("bare", "error", "condition"), list())),
      warning("just one")
    )
  }, as.list(1:6))
  expect_identical(out$status[c(1, 4, 5)], rep("failed", 3))
  expect_identical(out$status[c(3, 6)], rep("completed", 2))
  deep <- run_batch(function(x) {
    f <- function() f()
    f()
  }, 1)
  expect_identical(deep$status, "failed")
})

test_that("a result that cannot be stored, and a task that cannot be read, have failed", {
  m <- pool:::job_manifest_new("lapply", at_top(function(x) x), list(), list(), NULL, NULL,
    character()
  )
  batch <- list(task = c(1, 2, 3), data = list(pack("a"), as.raw(1:9), pack("c")))
  out <- pool:::run_task_batch(batch, m, "j")
  expect_identical(out$status, c("completed", "failed", "completed"))
  expect_identical(unpack(out$result[[3]]), "c")
  # Nested too deeply for serialize().
  out <- run_batch(function(x) {
    for (i in 1:3e5) x <- list(x)
    x
  }, 1)
  expect_identical(out$status, "failed")
  expect_match(conditionMessage(out$value[[1]]$condition), "the result cannot be stored: ")
})

test_that("output, messages and warnings go into files of the task", {
  out <- NULL
  expect_silent(out <- run_batch(function(x) {
    cat("out", x, "\n")
    message("hello ", x)
    warning("careful ", x)
    cat("err\n", file = stderr())
    if (x == 2) stop("no")
    x
  }, 1:3))
  expect_identical(text_of(out, "stdout/1.txt"), "out 1 \n")
  expect_identical(text_of(out, "stdout/3.txt"), "out 3 \n")
  expect_identical(text_of(out, "stderr/1.txt"), "hello 1\nWarning: careful 1\nerr\n")
  expect_identical(text_of(out, "logs/1.txt"), "message: hello 1\nwarning: careful 1\n")
  expect_match(text_of(out, "logs/2.txt"), "^message: hello 2\nwarning: careful 2\nerror: no\n")
  expect_identical(out$value[c(1, 3)], list(1L, 3L))
  expect_null(run_batch(function(x) x, 1:3)$files)
})

test_that("a task that leaves sinks behind, or takes ours away, harms no other", {
  before <- sink.number()
  out <- run_batch(function(x) {
    if (x == 1) sink(tempfile())
    if (x == 3) while (sink.number() > 0) sink()
    cat("text", x)
    x
  }, 1:2)
  expect_identical(sink.number(), before)
  expect_identical(out$value, list(1L, 2L))
})

test_that("in the user's own process, what is signalled is seen, and kept too", {
  expect_warning(
    expect_output(out <- run_batch(function(x) {
      cat("seen\n")
      warning("heard")
    }, 1, capture = FALSE), "seen"),
    "heard"
  )
  expect_identical(text_of(out, "logs/1.txt"), "warning: heard\n")
  expect_null(text_of(out, "stdout/1.txt"))
})

test_that("globals are there for each task as they were made, and gone again", {
  local_globals(k = "mine")
  out <- run_batch(function(x) {
    k <<- k + x
    made_up <<- 1
    c(k, made_up2)
  }, 1:3, globals = list(k = 100, made_up2 = 5))
  expect_identical(out$value, list(c(101, 5), c(102, 5), c(103, 5)))
  expect_identical(k, "mine")
  expect_false(exists("made_up2", globalenv()))
  rm("made_up", envir = globalenv())
})

test_that("random numbers of a task depend on nothing but seed and number", {
  seed <- pool:::check_seed(42)
  one <- function(x) c(rnorm(2), runif(1), sample(10, 2))
  all <- run_batch(one, 1:5, seed = seed)$value
  m <- pool:::job_manifest_new("lapply", at_top(one), list(), list(seed = seed), NULL, NULL,
    character()
  )
  alone <- pool:::run_task_batch(list(task = 4, data = list(pack(0))), m, "j")
  expect_identical(unpack(alone$result[[1]]), all[[4]])
  expect_false(any(duplicated(all)))
  # As the pool's own streams.
  local_pool(2)
  expect_identical(pool_lapply(1:5, at_top(one), .seed = 42), all)
})

test_that("the user's own random numbers are not touched", {
  set.seed(1)
  want <- runif(3)
  set.seed(1)
  first <- runif(1)
  out <- run_batch(function(x) runif(1), 1:3, capture = FALSE)
  run_batch(function(x) runif(1), 1:3, seed = pool:::check_seed(1), capture = FALSE)
  expect_identical(c(first, runif(2)), want)
  # Nor does a task repeat them.
  expect_false(any(unlist(out$value) %in% want))
  rm(".Random.seed", envir = globalenv())
  run_batch(function(x) runif(1), 1, capture = FALSE)
  expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
})

test_that("a node's random numbers go on from batch to batch", {
  withr::local_seed(1)
  draw <- function(x) runif(1)
  found <- unlist(lapply(1:4, function(i) run_batch(draw, 1:2)$value))
  withr::local_seed(1)
  expect_identical(found, vapply(1:8, draw, 0))
})

test_that("a task of a loop has a directory and variables of its own", {
  before <- getwd()
  withr::local_envvar(AZ_BATCH_JOB_ID = "outside", AZ_BATCH_TASK_ID = NA)
  out <- run_batch(function(x) {
    file.create(paste0("file", x))
    if (x == 2) stop("failed")
    c(dir(), getwd(), Sys.getenv(c(
      "AZ_BATCH_JOB_ID", "AZ_BATCH_TASK_ID", "AZ_BATCH_TASK_WORKING_DIR"
    )))
  }, 1:3, kind = "foreach")
  first <- out$value[[1]]
  third <- out$value[[3]]
  expect_identical(unname(c(first[1], third[1])), c("file1", "file3"))
  expect_identical(first[["AZ_BATCH_JOB_ID"]], "the-job")
  expect_identical(third[["AZ_BATCH_TASK_ID"]], "3")
  expect_identical(normalizePath(dirname(first[[2]])), normalizePath(tempdir()))
  expect_identical(basename(first[["AZ_BATCH_TASK_WORKING_DIR"]]), basename(first[[2]]))
  expect_false(first[[2]] == third[[2]])
  expect_false(any(dir.exists(c(first[[2]], third[[2]]))))
  expect_identical(getwd(), before)
  expect_identical(Sys.getenv("AZ_BATCH_JOB_ID"), "outside")
  expect_identical(Sys.getenv("AZ_BATCH_TASK_ID", NA), NA_character_)
  # Others are where their process is.
  expect_identical(run_batch(function(x) getwd(), 1)$value, list(before))
})

test_that("a task of a loop finds an empty directory, whatever the last one did to its own", {
  local_binding(batch_seconds = 60)
  did <- list(
    nothing = function() NULL, file = function() file.create("file"),
    hidden = function() file.create(".file"), below = function() dir.create("below"),
    away = function() setwd(tempdir()), gone = function() unlink(getwd(), recursive = TRUE),
    locked = function() Sys.chmod(getwd(), "0000"), failed = function() stop("failed"),
    variables = function() Sys.setenv(AZ_BATCH_TASK_WORKING_DIR = "x", AZ_BATCH_TASK_ID = "x")
  )
  out <- run_batch(function(f) {
    found <- list(dir(all.files = TRUE, no.. = TRUE), file.access(getwd(), 7L) == 0,
      Sys.getenv("AZ_BATCH_TASK_WORKING_DIR") == getwd(), getwd(), Sys.getenv("AZ_BATCH_TASK_ID"))
    f()
    found
  }, unname(c(did, did)), kind = "foreach")
  expect_identical(out$task[out$status == "failed"], c(8, 17))
  found <- out$value[out$status == "completed"]
  for (x in found) expect_identical(x[1:3], list(character(), TRUE, TRUE), ignore_attr = TRUE)
  expect_identical(vapply(found, `[[`, "", 5), as.character(setdiff(1:18, c(8, 17))))
  expect_false(any(dir.exists(vapply(found, `[[`, "", 4))))
})

test_that("what a task changes of its process does not reach the next batch", {
  before <- getwd()
  run_batch(function(x) setwd(tempdir()), 1)
  expect_identical(getwd(), before)
  out <- run_batch(function(x) if (x == 1) setTimeLimit(elapsed = 0.001) else Sys.sleep(0.02), 1:2)
  expect_identical(out$status, rep("completed", 2))
  expect_silent(Sys.sleep(0.05))
})

test_that("an interrupt is not the task's: it ends the batch, and all is put back", {
  before <- getwd()
  local_globals(k = "mine")
  sinks <- sink.number()
  interrupted(run_batch(function(x) {
    k
    Sys.sleep(60)
  }, 1, kind = "foreach", globals = list(k = 1)))
  expect_identical(getwd(), before)
  expect_identical(k, "mine")
  expect_identical(sink.number(), sinks)
  expect_identical(Sys.getenv("AZ_BATCH_TASK_ID", NA), NA_character_)
})

test_that("no key is in what is recorded of an error", {
  out <- run_batch(function(x) {
    e <- blob_endpoint("https://x.blob.core.windows.net", key = "c2VjcmV0")
    storage_container(e, "No_Good_Name")
  }, 1)
  expect_identical(out$status, "failed")
  all <- paste(utils::capture.output(print(out$value)), text_of(out, "logs/1.txt"), collapse = " ")
  expect_no_match(all, "c2VjcmV0")
})
