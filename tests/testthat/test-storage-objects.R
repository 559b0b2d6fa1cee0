test_that("R objects, whatever their compression", {
  cont <- local_container()
  object <- list(c = "foo\u00e4", f = ls, n = 42L, x = pi, d = mtcars)
  expect_silent(storage_save_rds(object, cont, "x.rds"))
  expect_identical(storage_load_rds(cont, "x.rds"), object)
  for (compress in list(FALSE, "xz", "bzip2", "gzip")) {
    storage_save_rds(object, cont, "x.rds", compress = compress)
    expect_identical(storage_load_rds(cont, "x.rds"), object)
  }
  path <- withr::local_tempfile(fileext = ".rds")
  storage_download(cont, "x.rds", path)
  expect_identical(readRDS(path), object)
  storage_upload(cont, path, "y.rds")
  expect_identical(storage_load_rds(cont, "y.rds"), object)
})

test_that("environments of objects", {
  cont <- local_container()
  obj1 <- list(1, "a")
  obj2 <- mtcars
  expect_silent(storage_save_rdata(obj1, obj2, container = cont, file = "x.rdata"))
  storage_save_rdata(list = c("obj1", "obj2"), container = cont, file = "y.rdata")
  rm(obj1, obj2)
  expect_identical(storage_load_rdata(cont, "x.rdata"), c("obj1", "obj2"))
  expect_identical(obj1, list(1, "a"))
  expect_identical(obj2, mtcars)
  into <- new.env()
  storage_load_rdata(cont, "y.rdata", envir = into)
  expect_setequal(ls(into), c("obj1", "obj2"))
})

test_that("tables", {
  cont <- local_container()
  pairs <- list(
    list(storage_write_delim, storage_read_delim), list(storage_write_csv, storage_read_csv),
    list(storage_write_csv2, storage_read_csv2)
  )
  for (pair in pairs) {
    expect_silent(pair[[1]](iris, cont, "x"))
    got <- as.data.frame(pair[[2]](cont, "x"))
    got$Species <- as.factor(got$Species)
    expect_identical(names(got), names(iris))
    expect_true(all(mapply(identical, got, iris)))
  }
  text <- data.frame(a = c("\u00e4", "x,y", "q\"r"), b = c(1.5, NA, 3))
  storage_write_csv(text, cont, "t.csv")
  expect_identical(get_storage_properties(cont, "t.csv")[["content-type"]], "text/csv")
  got <- as.data.frame(storage_read_csv(cont, "t.csv"))
  expect_identical(got$a, text$a)
  expect_identical(got$b, text$b)
  storage_write_delim(text, cont, "t", delim = "|")
  expect_identical(as.data.frame(storage_read_delim(cont, "t", delim = "|"))$b, text$b)
})

test_that("bad arguments", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs")
  expect_input_error(storage_save_rds(1, "docs", "x"), "container")
  expect_input_error(storage_load_rds(cont, NULL), "file")
  expect_input_error(storage_save_rds(1, cont, NULL), "file")
  expect_input_error(storage_save_rdata(list = "cont", container = cont, file = 1), "file")
  expect_input_error(storage_load_rdata(cont, ""), "file")
  expect_input_error(storage_read_csv(cont, 1), "file")
  expect_input_error(storage_write_csv(1:3, cont, "x"), "object")
  expect_input_error(storage_write_csv(mtcars, cont, ""), "file")
})

test_that("arguments reach the function that writes or reads, and no other", {
  cont <- local_container()
  local_binding(of_readr = function(name) NULL)
  table <- data.frame(name = c("a", NA), more = c(1.5, 2))
  storage_write_csv(table, cont, "x", na = "", row.names = FALSE)
  expect_identical(rawToChar(storage_download(cont, "x", NULL)),
    "\"name\",\"more\"\n\"a\",1.5\n,2\n")
  expect_identical(storage_read_csv(cont, "x", na.strings = ""), table)
  storage_write_csv(table, cont, "y", dec = ",", sep = ";", qmethod = "escape", quote = FALSE)
  expect_identical(rawToChar(storage_download(cont, "y", NULL)), "name;more\n1;a;1,5\n2;NA;2\n")
  expect_identical(storage_read_csv(cont, "y", sep = ";", dec = ",")$more, c(1.5, 2))
  expect_identical(storage_read_csv(cont, "x", nrows = 1)$name, "a")
  expect_identical(storage_load_rds({
    storage_save_rds(table, cont, "z")
    cont
  }, "z", refhook = NULL), table)
})

test_that("a warning does not have the table in its call", {
  cont <- local_container()
  local_binding(of_readr = function(name) NULL)
  w <- tryCatch(storage_write_csv(iris, cont, "x", append = TRUE, col.names = TRUE),
    warning = identity)
  expect_s3_class(w, "warning")
  expect_lt(nchar(paste(deparse(conditionCall(w)), collapse = "")), 300)
})

test_that("readr is used where it is, with its arguments", {
  cont <- local_container()
  asked <- list()
  local_binding(of_readr = function(name) {
    function(...) {
      asked[[name]] <<- list(...)
      if (grepl("^write", name)) writeLines("a,b\n1,2", list(...)[[2]]) else "a tibble"
    }
  })
  storage_write_delim(iris, cont, "x", delim = "|", na = "-")
  expect_identical(asked$write_delim[-2], list(iris, delim = "|", na = "-"))
  expect_identical(storage_read_csv(cont, "x", col_types = "ii"), "a tibble")
  expect_identical(asked$read_csv[-1], list(col_types = "ii", lazy = FALSE))
  expect_identical(rawToChar(storage_download(cont, "x", NULL)), "a,b\n1,2\n")
})
