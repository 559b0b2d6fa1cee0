test_that("a name is escaped, byte for byte, and nothing of it is special", {
  expect_identical(pool:::escape("aZ09-._~"), "aZ09-._~")
  expect_identical(pool:::escape("a b/c?d#e%41&f+g"), "a%20b%2Fc%3Fd%23e%2541%26f%2Bg")
  expect_identical(pool:::escape("\u00e4\u65e5"), "%C3%A4%E6%97%A5")
  expect_identical(pool:::escape(iconv("\u00e4", "UTF-8", "latin1")), "%C3%A4")
  expect_identical(pool:::escape(c("", "a", "b c")), c("", "a", "b%20c"))
  expect_identical(pool:::escape_path("a/b c"), "a/b%20c")
  # Nothing on the way may resolve these.
  expect_identical(
    pool:::escape_path(c("a/../b", "..", "./x", "a//b", "/a", "a/", "a/..b", "a.b/c")),
    c("a%2F..%2Fb", "..", ".%2Fx", "a%2F%2Fb", "%2Fa", "a%2F", "a/..b", "a.b/c")
  )
})

test_that("queries", {
  q <- pool:::query_string
  expect_identical(q(list()), "")
  expect_identical(q(list(b = 1e5, a = "x&y", c = NULL, d = TRUE)), "?a=x%26y&b=100000&d=true")
  expect_identical(q(list(n = 2^53)), "?n=9007199254740992")
})

test_that("the URL of a blob is taken apart, with the account in host or path", {
  url <- "https://acc.blob.core.windows.net:444/cont/a%20b/%C3%A4?sv=1&sig=2"
  parts <- pool:::parse_storage_url(url)
  expect_identical(parts, list(
    endpoint = "https://acc.blob.core.windows.net:444/", container = "cont",
    blob = "a b/\u00e4", query = "sv=1&sig=2"
  ))
  parts <- pool:::parse_storage_url("http://127.0.0.1:10000/acc/cont/b")
  expect_identical(parts$endpoint, "http://127.0.0.1:10000/acc")
  expect_identical(parts[2:3], list(container = "cont", blob = "b"))
  expect_identical(pool:::parse_storage_url("http://127.0.0.1:10000/acc")$container, "")
  expect_identical(pool:::parse_storage_url("http://localhost:1/acc/c")$container, "c")
  expect_identical(pool:::parse_storage_url("http://acc.blob.localhost:1/c/b")$container, "c")
})

test_that("the account's name", {
  expect_identical(pool:::account_of("https://acc.blob.core.windows.net"), "acc")
  expect_identical(pool:::account_of("https://acc-secondary.blob.core.windows.net/"), "acc")
  expect_identical(pool:::account_of("http://127.0.0.1:10000/devstoreaccount1"), "devstoreaccount1")
  expect_identical(pool:::account_of("http://[::1]:10000/acc/"), "acc")
  expect_identical(pool:::account_of("http://acc.blob.localhost:1"), "acc")
})

test_that("names of blobs are checked", {
  check <- pool:::check_blob
  expect_identical(check("//a/b"), "a/b")
  expect_identical(check(I("/a")), "/a")
  expect_identical(check(strrep("\u00e4", 1024)), strrep("\u00e4", 1024))
  for (bad in list("", "/", strrep("a", 1025), NA_character_, 1, c("a", "b"), NULL, "\xff\xfe")) {
    expect_input_error(check(bad), "file")
  }
})
