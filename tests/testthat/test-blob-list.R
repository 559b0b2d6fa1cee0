page <- function(blobs, marker = "", head = "<?xml version=\"1.0\" encoding=\"utf-8\"?>") {
  charToRaw(paste0(head, "<EnumerationResults ContainerName=\"c\"><Blobs>", blobs, "</Blobs>",
    if (nzchar(marker)) paste0("<NextMarker>", marker, "</NextMarker>") else "<NextMarker />",
    "</EnumerationResults>"))
}

blob_xml <- function(name, size = 1, more = "") {
  sprintf(paste0("<Blob><Name>%s</Name><Properties><Content-Length>%s</Content-Length>",
    "<BlobType>BlockBlob</BlobType>%s</Properties></Blob>"), name, size, more)
}

test_that("a page is read, with what may stand in names", {
  read <- pool:::read_page
  got <- read(page(paste0(
    blob_xml("a&lt;b&gt;&amp;&quot;&apos;&#65;&#x20AC;"),
    "<BlobPrefix><Name>d/</Name></BlobPrefix>",
    " \n ", blob_xml("\u00e4", 0, "<Content-MD5 /><Extra>x</Extra>")
  ), "next&amp;"))
  expect_identical(got$columns$Name, c("a<b>&\"'A\u20ac", "d/", "\u00e4"))
  expect_identical(got$isdir, c(FALSE, TRUE, FALSE))
  expect_identical(got$columns[["Content-Length"]], c("1", NA, "0"))
  expect_identical(got$columns$Extra, c(NA, NA, "x"))
  expect_null(got$columns[["Content-MD5"]])
  expect_identical(got$marker, "next&")
  expect_named(read(page(blob_xml("a")), "Name")$columns, "Name")
  expect_null(read(page(""))$marker)
  encoded <- sub("<Name>", "<Name Encoded=\"true\">", blob_xml("a%01%C3%A4%25"), fixed = TRUE)
  expect_identical(charToRaw(read(page(encoded))$columns$Name),
    as.raw(c(0x61, 1, 0xc3, 0xa4, 0x25)))
})

test_that("what is no page, or not whole, or not safe, is an error", {
  good <- page(blob_xml("a"))
  expect_length(pool:::read_page(good)$isdir, 1L)
  for (n in c(0, 1, 10, length(good) %/% 2, length(good) - 1)) {
    expect_error(pool:::read_page(good[seq_len(n)]), class = "pool_answer_error")
  }
  bad <- list(
    page(blob_xml("a"), head = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>"),
    page(blob_xml("&e;")), page(blob_xml("&#0;")), page(blob_xml("&#xD800;")),
    page(blob_xml("&#1114112;")),
    page("<Blob><Properties/></Blob>"), page("<Blob><Name></Name></Blob>"),
    page("<Blob><Name>a</Name><Name>b</Name></Blob>"), page("<Blob><Name>a</Blob>"),
    page("<!-- x -->"), page("<![CDATA[x]]>"), page("<?php x?>"), page("<Blob a=1/>"),
    charToRaw("<html><body>Please log in</body></html>"), charToRaw("{}"), raw(100),
    c(good, charToRaw("<x/>")), page(rawToChar(as.raw(c(0x3c, 0x61, 0x3e, 0xff)))),
    page(strrep("<x>", 100)),
    charToRaw("<EnumerationResults><Blobs></EnumerationResults></Blobs>")
  )
  for (body in bad) {
    expect_error(pool:::read_page(body), class = "pool_answer_error")
  }
})

test_that("a page changed at random is read or refused, and nothing else", {
  good <- page(paste0(blob_xml("a&amp;b"), "<BlobPrefix><Name>d/</Name></BlobPrefix>"), "m")
  withr::local_seed(1)
  fine <- TRUE
  for (i in 1:3000) {
    body <- good
    at <- sample.int(length(body), 3L)
    body[at] <- as.raw(sample(c(38, 60, 62, 47, 0, 255, 65, 59, 35, 120), 3L, TRUE))
    got <- .Call(pool:::C_blob_list, body, NULL)
    fine <- fine && (is.list(got) || is.character(got))
  }
  expect_true(fine)
})

test_that("listings by directory", {
  cont <- local_container()
  expect_identical(list_blobs(cont), data.frame())
  expect_identical(list_blobs(cont, info = "name"), character())
  for (name in c("top", "d/one", "d/two", "d/e/three", "dd/four")) {
    storage_upload(cont, charToRaw(name), name)
  }
  storage_upload(cont, raw(), "empty")
  all <- list_blobs(cont)
  expect_named(all, c("name", "size", "isdir", "blobtype"))
  expect_identical(all$name, sort(c("top", "d/one", "d/two", "d/e/three", "dd/four", "empty"),
    method = "radix"))
  expect_identical(all$size[all$name == "empty"], 0)
  expect_identical(all$size[all$name == "d/one"], 5)
  expect_false(any(all$isdir))
  expect_identical(unique(all$blobtype), "BlockBlob")

  top <- list_storage_files(cont, recursive = FALSE)
  expect_identical(top$name, c("d/", "dd/", "empty", "top"))
  expect_identical(top$isdir, c(TRUE, TRUE, FALSE, FALSE))
  expect_identical(is.na(top$size), top$isdir)
  expect_identical(list_blobs(cont, recursive = FALSE, info = "name"), top$name)
  for (dir in c("d", "d/", "/d", "/d/")) {
    expect_identical(list_blobs(cont, dir, "name", recursive = FALSE), c("d/e/", "d/one", "d/two"))
  }
  expect_identical(list_blobs(cont, "d", "name"), c("d/e/three", "d/one", "d/two"))
  expect_identical(list_blobs(cont, prefix = "d", info = "name"),
    c("d/e/three", "d/one", "d/two", "dd/four"))
  expect_identical(nrow(list_blobs(cont, "nowhere")), 0L)

  more <- list_blobs(cont, info = "all")
  expect_identical(more[1:4], all)
  expect_s3_class(more[["Last-Modified"]], "POSIXct")
  expect_lt(abs(as.numeric(difftime(Sys.time(), more[["Last-Modified"]][1], units = "secs"))), 3600)
})

test_that("a listing goes on over its pages", {
  cont <- local_container()
  src <- rep(list(as.raw(1)), 230)
  storage_multiupload(cont, src, sprintf("b%03d", 1:230), max_concurrent_transfers = 16)
  pages <- pool:::list_pages(cont, maxresults = 50)
  expect_length(pages, 5L)
  table <- pool:::blob_table(pool:::bind_pages(pages), TRUE)
  expect_identical(table, list_blobs(cont, info = "all"))
  expect_identical(table$name, sprintf("b%03d", 1:230))
  expect_identical(list_blobs(cont, info = "name"), table$name)
})

test_that("bad arguments of a listing", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs")
  expect_input_error(list_blobs(cont, NA_character_), "dir")
  expect_input_error(list_blobs(cont, info = "some"), "info")
  expect_input_error(list_blobs(cont, prefix = 1), "prefix")
  expect_input_error(list_blobs(cont, recursive = "yes"), "recursive")
  expect_input_error(list_blobs("docs"), "container")
})
