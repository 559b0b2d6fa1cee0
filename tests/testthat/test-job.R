# What a manifest holds, and how a job is made and read.

manifest_of <- function(fun, ..., kind = "lapply", tasks = list(1)) {
  pool:::job_read_manifest(pool:::job_new(memory_store(), "j", kind, fun, tasks = tasks, ...))
}

test_that("a manifest says all there is to know about a job", {
  m <- manifest_of(at_top(function(x, y) x + y),
    args = list(y = 2), tasks = list(a = 1, b = 2), options = list(timeout = 5)
  )
  expect_identical(m$kind, "lapply")
  expect_identical(m$fun(1, 2), 3)
  expect_identical(m$args, list(y = 2))
  expect_identical(m$names, c("a", "b"))
  expect_identical(m$options$timeout, 5)
  expect_identical(m$options$max_tries, 3)
  expect_true("output_files" %in% names(m$options))
  expect_s3_class(m$created, "POSIXct")
  expect_identical(m$r_version, as.character(getRversion()))
  expect_identical(m$pool_version, as.character(packageVersion("pool")))
})

test_that("the globals that a function uses go along, and those that these use", {
  local_globals(
    k = 3, unused = 4, helper = at_top(function(z) z + k),
    caller = at_top(function(x) helper(x))
  )
  m <- manifest_of(at_top(function(x) caller(x) + mean(x)))
  expect_setequal(names(m$globals), c("k", "helper", "caller"))
  expect_identical(m$globals$k, 3)
  # What is in a function's own frame goes with it, and what that uses too.
  make <- at_top(function(f) {
    own <- 1
    function(x) f(x) + own
  })
  m <- manifest_of(make(at_top(function(x) x * k)))
  expect_identical(names(m$globals), "k")
  expect_identical(environment(m$fun)$own, 1)
  # So does what functions among the arguments use.
  m <- manifest_of(at_top(function(x, f) f(x)), args = list(f = at_top(function(x) x + k)))
  expect_identical(names(m$globals), "k")
  # A local variable of the same name is none.
  m <- manifest_of(at_top(function(x) {
    k <- x
    k
  }))
  expect_length(m$globals, 0)
  expect_length(manifest_of(sum)$globals, 0)
  expect_length(manifest_of(mean)$globals, 0)
})

test_that("what is attached, and no package, goes along like globals", {
  attach(list(in_between = 7), name = "somebody's")
  withr::defer(detach("somebody's", character.only = TRUE))
  expect_identical(manifest_of(at_top(function(x) x + in_between))$globals, list(in_between = 7))
})

test_that("attached packages are noted, the first one first, and those that are used", {
  skip_if_not_installed("MASS")
  had <- "package:MASS" %in% search()
  suppressPackageStartupMessages(library(MASS))
  if (!had) withr::defer(detach("package:MASS"))
  m <- manifest_of(at_top(function(x) ginv(x)))
  expect_identical(utils::tail(m$packages, 1), "MASS")
  expect_true(match("pool", m$packages) < match("MASS", m$packages))
  expect_identical(m$needs, "MASS")
  expect_false("stats" %in% m$packages)
})

test_that("a function's source stays where it is", {
  fun <- eval(parse(text = "function(x) {\n  # a comment\n  x\n}", keep.source = TRUE))
  environment(fun) <- globalenv()
  expect_null(attributes(manifest_of(fun)$fun))
  local_globals(g = fun)
  m <- manifest_of(at_top(function(x) g(x)))
  expect_null(attributes(m$globals$g))
  # What else a function is, it stays.
  odd <- structure(fun, class = "odd")
  expect_s3_class(manifest_of(odd)$fun, "odd")
})

test_that("globals and packages may be given", {
  local_globals(k = 3)
  m <- manifest_of(at_top(function(x) x + k), globals = list(k = 5), packages = "stats")
  expect_identical(m$globals, list(k = 5))
  expect_identical(m$packages, "stats")
})

test_that("what holds a key is refused, wherever it is, and nothing is made", {
  endpoint <- blob_endpoint("https://x.blob.core.windows.net", key = "a2V5")
  container <- storage_container(endpoint, "abc")
  store <- memory_store()
  refused <- function(fun, ...) {
    e <- error_of(pool:::job_new(store, "j", "lapply", fun, ...))
    expect_s3_class(e, "pool_input_error")
    expect_no_match(paste(unlist(e), collapse = " "), "a2V5")
    expect_length(store$jobs, 0)
  }
  local_globals(held = container)
  refused(at_top(function(x) held))
  refused(at_top(function(x) x), args = list(container))
  refused(at_top(function(x) x), tasks = list(1, list(endpoint)))
})

test_that("an id that is taken is an error, and that job is as it was", {
  store <- memory_store()
  job <- local_job(function(x) x, 1:3, store = store)
  e <- error_of(local_job(function(x) -x, 1:5, store = store))
  expect_s3_class(e, "pool_job_exists_error")
  expect_identical(e$id, "j")
  pool:::run_job(job)
  expect_identical(job_values(job), as.list(1:3))
})

test_that("a manifest that is none, is newer, or damaged is an error that says so", {
  job <- local_job(function(x) x, 1:3)
  right <- job$data$manifest
  read_with <- function(bytes) {
    job$data$manifest <- bytes
    error_of(pool:::job_read_manifest(job))
  }
  changed <- function(...) {
    x <- utils::modifyList(unserialize(right), list(...))
    read_with(serialize(x, NULL))
  }
  expect_s3_class(read_with(as.raw(1:100)), "pool_job_corrupt_error")
  expect_s3_class(read_with(raw()), "pool_job_corrupt_error")
  expect_s3_class(read_with(right[1:200]), "pool_job_corrupt_error")
  expect_s3_class(read_with(serialize("x", NULL)), "pool_job_format_error")
  expect_s3_class(read_with(serialize(list(version = NA), NULL)), "pool_job_format_error")
  e <- changed(version = 2L, pool_version = "99.0")
  expect_s3_class(e, "pool_job_format_error")
  expect_match(conditionMessage(e), "99.0", fixed = TRUE)
  expect_s3_class(changed(endian = "other"), "pool_job_format_error")
  expect_s3_class(changed(fun = "x"), "pool_job_corrupt_error")
  job$data$manifest <- right
  expect_identical(pool:::job_read_manifest(job)$kind, "lapply")
})

test_that("no key goes along in an environment", {
  new <- function(...) pool:::job_new(memory_store(), "j", "lapply", ...)
  refused <- function(code) {
    e <- error_of(code)
    expect_s3_class(e, "pool_input_error")
    expect_match(conditionMessage(e), "not stored in jobs")
    expect_no_match(conditionMessage(e), "c2VjcmV0")
  }
  make <- function(k) {
    force(k)
    function(x) x
  }
  k <- blob_endpoint("https://x.blob.core.windows.net", key = "c2VjcmV0")
  plain <- at_top(function(x) x)
  fun <- make(k)
  refused(new(fun, tasks = 1))
  refused(new(plain, args = list(f = fun), tasks = 1))
  refused(new(plain, tasks = list(fun)))
  refused(new(plain, tasks = list(list(environment(fun)))))
  # In one around it; as an argument that nobody has looked at yet.
  inner <- local(function(x) x, new.env(parent = environment(fun)))
  refused(new(inner, tasks = 1))
  lazy <- function(k) function(x) x
  refused(new(lazy(blob_endpoint("https://x.blob.core.windows.net", key = "c2VjcmV0")), tasks = 1))
  # None is found where there is none, nor without end.
  round <- new.env(parent = globalenv())
  round$self <- round
  makeActiveBinding("active", function() stop("looked at"), round)
  expect_s3_class(new(plain, args = list(round), tasks = list(round)), "job_memory")
})
