test_that("queues are made, listed and deleted", {
  queue <- local_queue()
  expect_s3_class(queue, "storage_queue")
  expect_true(queue$name %in% names(list_storage_queues(queue$endpoint)))
  expect_silent(create_storage_queue(queue))
  url <- paste0(queue$endpoint$url, "/", queue$name)
  expect_identical(storage_queue(url, key = azurite_key), queue)
  expect_invisible(delete_storage_queue(queue, confirm = FALSE))
  expect_false(queue$name %in% names(list_storage_queues(queue$endpoint)))
  expect_identical(http_failure(put_queue_message(queue, "x"))$code, "QueueNotFound")
})

test_that("messages travel as they are", {
  queue <- local_queue()
  texts <- c("plain", "\u00e4\u65e5 <a>&amp;\"'", "", " spaces ", "a\nb\tc\r\nd",
    strrep("x", 49152))
  for (text in texts) {
    sent <- put_queue_message(queue, text)
    expect_identical(sent$text, text)
    got <- get_queue_messages(queue)
    expect_identical(got$text, text)
    expect_identical(got$id, sent$id)
    expect_identical(got$dequeue_count, 1L)
    delete_queue_message(queue, got$id, got$pop_receipt)
  }
  for (text in c("raw <a> & \u00e4", strrep("y", 60000))) {
    put_queue_message(queue, text, base64 = FALSE)
    got <- get_queue_messages(queue, base64 = FALSE)
    expect_identical(got$text, text)
    delete_queue_message(queue, got$id, got$pop_receipt)
  }
  put_queue_message(queue, "not base64!", base64 = FALSE)
  expect_identical(peek_queue_messages(queue)$text, NA_character_)
  expect_identical(peek_queue_messages(queue, base64 = FALSE)$text, "not base64!")
  none <- local_queue()
  got <- get_queue_messages(none)
  expect_identical(nrow(got), 0L)
  expect_named(got, c("id", "text", "pop_receipt", "dequeue_count", "inserted", "expires",
    "next_visible"))
})

test_that("a message that was got is invisible, and comes back", {
  queue <- local_queue()
  put_queue_message(queue, "x", ttl = -1)
  one <- get_queue_messages(queue, visibility_timeout = 1)
  expect_identical(nrow(get_queue_messages(queue)), 0L)
  Sys.sleep(1.5)
  two <- get_queue_messages(queue, visibility_timeout = 30)
  expect_identical(two$id, one$id)
  expect_identical(two$dequeue_count, 2L)
  # The first who had it has lost it.
  e <- http_failure(delete_queue_message(queue, one$id, one$pop_receipt))
  expect_true(e$status %in% c(400L, 404L))

  receipt <- update_queue_message(queue, two$id, two$pop_receipt, visibility_timeout = 60)
  expect_false(identical(receipt, two$pop_receipt))
  expect_error(update_queue_message(queue, two$id, two$pop_receipt, "y"), class = "pool_http_error")
  receipt <- update_queue_message(queue, two$id, receipt, "new text", visibility_timeout = 0)
  three <- get_queue_messages(queue)
  expect_identical(three$text, "new text")
  delete_queue_message(queue, three$id, three$pop_receipt)
  expect_identical(nrow(peek_queue_messages(queue)), 0L)
})

test_that("many messages: about in order, 32 at once, delayed, peeked at, cleared", {
  queue <- local_queue()
  for (i in 1:40) put_queue_message(queue, as.character(i))
  put_queue_message(queue, "later", visibility_timeout = 600)
  peeked <- peek_queue_messages(queue, 32)
  expect_identical(peeked$text, as.character(1:32))
  expect_true(all(is.na(peeked$pop_receipt)))
  got <- get_queue_messages(queue, 32)
  expect_identical(got$text, as.character(1:32))
  expect_identical(anyDuplicated(got$id), 0L)
  expect_identical(get_queue_messages(queue, 32)$text, as.character(33:40))
  expect_s3_class(got$expires, "POSIXct")
  expect_silent(clear_queue_messages(queue))
  expect_identical(nrow(get_queue_messages(queue, 32)), 0L)
})

test_that("bad arguments", {
  endp <- queue_endpoint("https://acc.queue.core.windows.net", key = "a2V5")
  queue <- storage_queue(endp, "tasks")
  expect_input_error(storage_queue(endp, "X"), "name")
  expect_input_error(storage_queue(1, "tasks"), "endpoint")
  expect_input_error(storage_queue(blob_endpoint("https://acc.blob.core.windows.net"), "tasks"),
    "endpoint")
  expect_input_error(put_queue_message(1, "x"), "queue")
  for (bad in list(NULL, 1, NA_character_, c("a", "b"), strrep("x", 49153))) {
    expect_input_error(put_queue_message(queue, bad), "text")
  }
  expect_input_error(put_queue_message(queue, "a\001", base64 = FALSE), "text")
  expect_input_error(put_queue_message(queue, strrep("x", 65537), base64 = FALSE), "text")
  expect_input_error(put_queue_message(queue, "x", base64 = NA), "base64")
  expect_input_error(put_queue_message(queue, "x", ttl = 0), "ttl")
  expect_input_error(put_queue_message(queue, "x", visibility_timeout = -1), "visibility_timeout")
  expect_input_error(get_queue_messages(queue, 33), "n")
  expect_input_error(get_queue_messages(queue, visibility_timeout = 0), "visibility_timeout")
  expect_input_error(peek_queue_messages(queue, 0), "n")
  expect_input_error(update_queue_message(queue, 1, "x"), "id")
  expect_input_error(update_queue_message(queue, "x", NULL), "pop_receipt")
  expect_input_error(delete_queue_message(queue, "x", 1), "pop_receipt")
})
