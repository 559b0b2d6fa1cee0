# What an error shows, in the session and from a node: never what may be a secret.

secret <- "a2V5c2VjcmV0"
url <- "https://acc.blob.core.windows.net"

all_of <- function(e) {
  fields <- unclass(e)[c("message", "call", "argument", "value", "traceback", "parent", "errors")]
  text <- c(capture.output(print(e), str(fields), dput(fields), try(stop(e), silent = TRUE)),
    e$traceback, deparse(e$call), deparse(e$parent$call))
  paste(text, collapse = "\n")
}

task_error <- function(expr) {
  e <- tryCatch(expr, pool_task_error = identity)
  expect_s3_class(e, "pool_task_error")
  expect_no_match(all_of(e), secret, fixed = TRUE)
  e
}

test_that("tasks that fail show no secret, wherever the task has it from", {
  local_pool(2)
  cont <- storage_container(storage_endpoint(url, key = secret), "docs")
  e <- task_error(pool_lapply(1, at_top(function(i) {
    pool::storage_endpoint("bad", key = "a2V5c2VjcmV0")
  })))
  expect_identical(deparse(e$parent$call), "pool::storage_endpoint()")
  expect_match(e$traceback, "storage_endpoint()", fixed = TRUE, all = FALSE)
  task_error(pool_lapply(1, at_top(function(i) {
    tryCatch(pool::storage_endpoint("bad", key = "a2V5c2VjcmV0"), warning = identity)
  })))
  task_error(pool_lapply(1, at_top(function(i) {
    do.call(pool::storage_endpoint, list("bad", key = "a2V5c2VjcmV0"))
  })))
  task_error(pool_lapply(1, at_top(function(i) {
    do.call("storage_endpoint", list("bad", key = "a2V5c2VjcmV0"), envir = asNamespace("pool"))
  })))
  task_error(pool_map(at_top(function(i, cont) stop("it fails")), 1:2,
    MoreArgs = list(cont = cont)))
  task_error(pool_map(at_top(function(i, cont) pool::list_blobs(cont, dir = i)), 1:2,
    MoreArgs = list(cont = cont)))
  task_error(pool_lapply(list(list(deep = list(cont))), at_top(function(x) {
    do.call(function(y) stop("deep"), list(x))
  })))
  task_error(pool_call(at_top(function(cont) stop("it fails")), cont))
})

test_that("nor do their warnings and messages", {
  local_pool(2)
  cont <- storage_container(storage_endpoint(url, key = secret), "docs")
  seen <- list()
  keep <- function(condition, restart) {
    seen[[length(seen) + 1L]] <<- condition
    invokeRestart(restart)
  }
  withCallingHandlers(
    pool_map(at_top(function(i, cont) {
      warning("careful")
      message("by the way")
    }), 1, MoreArgs = list(cont = cont)),
    warning = function(w) keep(w, "muffleWarning"),
    message = function(m) keep(m, "muffleMessage")
  )
  expect_identical(vapply(seen, conditionMessage, ""), c("careful", "by the way\n"))
  expect_no_match(paste(capture.output(print(seen), dput(lapply(seen, unclass))), collapse = ""),
    secret, fixed = TRUE)
})

test_that("other tasks' errors keep their calls", {
  local_pool(2)
  e <- tryCatch(pool_lapply(1, at_top(function(i) {
    g <- function(a, b) stop("no")
    g(i + 1, x[, 1])
  })), pool_task_error = identity)
  expect_identical(e$parent$call, quote(g(i + 1, x[, 1])))
  expect_match(e$traceback, "g(i + 1, x[, 1])", fixed = TRUE, all = FALSE)
  # A condition that is no list, and one whose class has methods of its own.
  odd <- at_top(function(i) {
    stop(structure(list(message = "odd", call = quote(f(1))),
      class = c("odd", "error", "condition")))
  })
  e <- tryCatch(pool_lapply(1, odd), pool_task_error = identity)
  expect_s3_class(e$parent, "odd")
  expect_identical(e$parent$call, quote(f(1)))
})

test_that("in a node, an error names the function that the task called", {
  local_pool(2)
  e <- tryCatch(pool_lapply(1, at_top(function(i) pool::storage_container("nonsense", "docs"))),
    pool_task_error = identity)
  expect_identical(e$parent$call, quote(pool::storage_container()))
  e <- tryCatch(pool_map(at_top(function(i) pool::list_blobs(i)), 1), pool_task_error = identity)
  expect_identical(e$parent$call, quote(pool::list_blobs()))
})

test_that("the session's errors show none", {
  cont <- storage_container(storage_endpoint(url, key = secret), "docs")
  udk <- structure(list(Value = secret, SignedStart = "a", SignedExpiry = "b"),
    class = "user_delegation_key")
  shown <- function(expr, argument) {
    e <- tryCatch(expr, error = identity)
    expect_s3_class(e, "pool_input_error")
    expect_identical(e$argument, argument)
    expect_no_match(all_of(e), secret, fixed = TRUE)
  }
  shown(get_service_sas(cont$endpoint, cont$endpoint), "resource")
  shown(get_service_sas(cont$endpoint, I(cont$endpoint)), "resource")
  shown(get_service_sas(cont$endpoint, udk), "resource")
  shown(list_blobs(cont, dir = cont$endpoint), "dir")
  shown(blob_exists(cont, I(cont)), "blob")
  shown(storage_endpoint(url, api_version = secret), "api_version")
  shown(storage_endpoint(url, api_version = list(cont)), "api_version")
  shown(list_storage_containers(key = "a2V5c2VjcmV0"), "endpoint")
  shown(storage_container(key = "a2V5c2VjcmV0"), "endpoint")
  shown(get_account_sas(key = "a2V5c2VjcmV0"), "account")
  shown(storage_load_rds(cont, list(udk)), "file")
  expect_no_match(paste(as.character(udk), paste(udk), format(udk)), secret, fixed = TRUE)
})

test_that("an argument that is missing is named, by every function", {
  withr::local_envvar(AZURE_STORAGE_CONNECTION_STRING = NA)
  cont <- storage_container(storage_endpoint("http://127.0.0.1:1/acc", key = "a2V5"), "docs")
  queue <- storage_queue("http://127.0.0.1:1/acc", "tasks", key = "a2V5")
  withr::local_options(pool.http_retries = 0)
  # Those that begin with an argument that has to be given; foreach's own, and those that
  # are named after package threadpool's and queue's, have messages of their own.
  names <- grep(paste0("pool|save_rdata|shelf|^cluster|^(tp_map|new_task|peek|is_empty.*|",
    "enqueue|dequeue|delete_queue|initialize_cluster_queue)$"), getNamespaceExports("pool"),
    value = TRUE, invert = TRUE)
  for (name in names) {
    f <- getExportedValue("pool", name)
    arguments <- if (is.function(f)) names(formals(f))
    if (!length(arguments) || !identical(topenv(environment(f)), asNamespace("pool")) ||
      !identical(formals(f)[[1L]], quote(expr = ))) {
      next
    }
    first <- arguments[[1L]]
    e <- tryCatch(f(), error = identity)
    expect_s3_class(e, "pool_input_error")
    expect_false(is.null(e$argument), label = name)
    given <- switch(first, endpoint = list(), account = list(cont$endpoint), queue = list(queue),
      object = list(if (grepl("metadata|properties", name)) cont else mtcars),
      container = list(cont), list())
    if (length(given)) {
      e <- tryCatch(do.call(f, given), error = identity)
      expect_true(is.null(e) || !inherits(e, "error") || inherits(e, "pool_error"),
        label = paste(c(name, if (inherits(e, "error")) conditionMessage(e)), collapse = " "))
    }
  }
  e <- tryCatch(storage_save_rdata(), error = identity)
  expect_s3_class(e, "pool_input_error")
})
