# Which files of a task's directory are uploaded, and as what.

url_of <- function(path = "", query = "?sv=2021&sig=c2VjcmV0") {
  paste0("https://acc.blob.core.windows.net/outputs", path, query)
}

test_that("patterns match as Azure Batch has them", {
  matched <- function(pattern, ...) {
    paths <- c(...)
    paths[pool:::matches_glob(pattern, paths)]
  }
  all <- c("a.txt", "b.txt", "test-1.txt", ".h.txt", "s/a.txt", "s/t/a.txt", "s/.d/a.txt",
    "a*", "ab", "x[1]", "\u00e9.txt")
  expect_identical(matched("*.txt", all), c("a.txt", "b.txt", "test-1.txt", "\u00e9.txt"))
  expect_identical(matched("*", all), setdiff(all, grep("^[.]|/", all, value = TRUE)))
  expect_identical(matched("**/a.txt", all), c("a.txt", "s/a.txt", "s/t/a.txt"))
  expect_identical(matched("**.txt", all),
    c("a.txt", "b.txt", "test-1.txt", "s/a.txt", "s/t/a.txt", "\u00e9.txt"))
  expect_identical(matched("s/*", all), "s/a.txt")
  expect_identical(matched("s/**", all), c("s/a.txt", "s/t/a.txt"))
  expect_identical(matched("?.txt", all), c("a.txt", "b.txt", "\u00e9.txt"))
  expect_identical(matched("[a-b].txt", all), c("a.txt", "b.txt"))
  expect_identical(matched("[!ab].txt", all), "\u00e9.txt")
  expect_identical(matched("[^a].txt", all), c("b.txt", "\u00e9.txt"))
  expect_identical(matched("a[*]", all), "a*")
  expect_identical(matched("x[[]1]", all), "x[1]")
  expect_identical(matched("[]x]*", all), "x[1]")
  expect_identical(matched(".*", all), ".h.txt")
  expect_identical(matched("**/.d/*", all), "s/.d/a.txt")
  expect_identical(matched("./a.txt", all), "a.txt")
  expect_identical(matched("a.txt", "a.txt", "axtxt", "ba.txt", "a.txt\n"), "a.txt")
  expect_identical(matched("s?a.txt", all), character())
  expect_identical(matched("s[/]a.txt", all), character())
  expect_identical(matched("(a|b)+.txt", all, "(a|b)+.txt"), "(a|b)+.txt")
  expect_identical(matched("*", "\xff\xfe"), character())
  patterns <- c("a", "a*", "a?", "[a]", "a[", "[]", "[!]", "a**b")
  expect_identical(patterns[vapply(patterns, pool:::is_pattern, NA)], c("a*", "a?", "[a]", "a**b"))
})

test_that("an output file is doAzureParallel's list", {
  a <- createOutputFile("result.txt", url_of())
  expect_identical(a$filePattern, "result.txt")
  expect_identical(a$uploadOptions$uploadCondition, "taskCompletion")
  expect_null(a$destination$container$path)
  expect_identical(a$destination$container$containerUrl, url_of())
  b <- createOutputFile("test-*.txt", url_of("/foo/baz/bar"))
  expect_identical(b$destination$container$path, "foo/baz/bar")
  expect_identical(b$destination$container$containerUrl, url_of())
  c <- createOutputFile("x", "http://127.0.0.1:10000/acc/outputs/a%20b/?sig=x")
  expect_identical(c$destination$container, list(
    containerUrl = "http://127.0.0.1:10000/acc/outputs?sig=x", path = "a b"
  ))
})

test_that("what cannot be one is an error, and no signature is shown", {
  for (bad in list(3, NA_character_, "", "/etc/passwd", "~/x", "../x", "a/../../x", c("a", "b"),
    "[b-a]", "a\xff")) {
    expect_input_error(createOutputFile(bad, url_of()), "filePattern")
  }
  for (bad in list(3, NULL, "", "outputs", "https://acc.blob.core.windows.net/",
    url_of(query = ""), "https://acc.blob.core.windows.net/No_Name?sig=c2VjcmV0")) {
    if (identical(bad, url_of(query = ""))) next
    e <- expect_input_error(createOutputFile("x", bad), "url")
    expect_false(grepl("c2VjcmV0", paste(c(conditionMessage(e), deparse(conditionCall(e))),
      collapse = "")))
  }
  x <- createOutputFile("*", url_of("/p"))
  shown <- c(capture.output(print(x), str(x), print(list(x)), str(list(a = x))), format(x),
    as.character(x), paste(x))
  expect_false(any(grepl("c2VjcmV0", shown)))
  local_pool(1)
  e <- expect_input_error(pool_lapply(1, list(x)), "fun")
  expect_false(grepl("c2VjcmV0", paste(capture.output(print(e)), conditionMessage(e))))
})

test_that("a job gets patterns and URLs, no signature", {
  withr::defer(setCredentials(NULL))
  stored <- pool:::stored_outputs(list(createOutputFile("*", url_of("/p")),
    createOutputFile("a", url_of())))
  expect_identical(stored, list(
    list(pattern = "*", url = url_of(query = ""), path = "p"),
    list(pattern = "a", url = url_of(query = ""), path = NULL)
  ))
  signed <- pool:::signed_outputs(stored)
  expect_identical(signed[[1]]$sas, "sv=2021&sig=c2VjcmV0")
  # One that has expired is replaced where the key is known, and only there.
  old <- createOutputFile("*", url_of(query = "?se=2020-01-01T00%3A00%3A00Z&sig=b2xk"))
  e <- expect_input_error(pool:::stored_outputs(old), "outputFiles")
  expect_match(conditionMessage(e), "expired")
  for (output in list(list(pattern = "*", url = "https://acc.blob.core.windows.net/other"))) {
    expect_s3_class(error_of(pool:::signed_outputs(list(output))), "pool_job_error")
  }
  setCredentials(list(sharedKey = list(storageAccount = list(name = "acc", key = "a2V5"))),
    verbose = FALSE)
  sas <- pool:::signed_outputs(pool:::stored_outputs(old))[[1]]$sas
  expect_match(sas, "sp=cw")
  expect_false(grepl("b2xk", sas))
  bare <- createOutputFile("*", url_of(query = ""))
  expect_length(pool:::stored_outputs(bare), 1L)
  setCredentials(NULL)
  expect_input_error(pool:::stored_outputs(bare), "outputFiles")
  for (bad in list(3, "x", list(3), list(list(filePattern = "x")), azurite_key)) {
    e <- expect_input_error(pool:::stored_outputs(bad), "outputFiles")
    expect_false(grepl(azurite_key, conditionMessage(e), fixed = TRUE))
  }
})

test_that("files are uploaded as their pattern and URL say", {
  cont <- local_container()
  sas <- get_service_sas(cont$endpoint, cont$name, permissions = "w")
  url <- function(path) paste0(azurite_url(), "/", cont$name, path)
  dir <- local_files(list("a.txt" = "1", "empty.txt" = "", "sub/b.txt" = "2", "sub/d/c.csv" = "3",
    ".hidden.txt" = "4", "odd #%41?.txt" = "5"))
  dir.create(file.path(dir, "empty"))
  file.symlink(dir, file.path(dir, "circle"))
  upload <- function(pattern, path = "") {
    outputs <- pool:::stored_outputs(createOutputFile(pattern, paste0(url(path), "?", sas)))
    sort(pool:::upload_outputs(dir, pool:::signed_outputs(outputs)))
  }
  expect_identical(upload("*.txt"), sort(c("a.txt", "empty.txt", "odd #%41?.txt")))
  expect_identical(upload("**/*", "/run/1"), sort(paste0("run/1/",
    c("a.txt", "empty.txt", "odd #%41?.txt", "sub/b.txt", "sub/d/c.csv"))))
  expect_identical(upload("sub/b.txt"), "sub/b.txt")
  expect_identical(upload("a.txt", "/x/y.txt"), "x/y.txt")
  expect_identical(upload("odd #%41[?].txt", "/q"), "q/odd #%41?.txt")
  expect_identical(upload(".hidden.txt"), ".hidden.txt")
  expect_identical(upload("none-*"), character())
  expect_identical(upload("none"), character())
  expect_identical(upload("empty"), character())
  expect_identical(rawToChar(storage_download(cont, "run/1/sub/d/c.csv", NULL)), "3")
  files <- list_blobs(cont)
  expect_identical(files$size[files$name == "empty.txt"], 0)
  outputs <- pool:::stored_outputs(createOutputFile("a.txt", paste0(url(""), "?sig=d3Jvbmc%3D")))
  e <- error_of(pool:::upload_outputs(dir, pool:::signed_outputs(outputs)))
  expect_s3_class(e, "pool_transfer_error")
  expect_false(grepl("d3Jvbmc", paste(capture.output(print(e), str(e)), collapse = "")))
})
