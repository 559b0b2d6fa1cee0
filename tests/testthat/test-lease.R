guid <- "11111111-2222-3333-4444-555555555555"

test_that("leases on a blob keep others away", {
  cont <- local_container()
  storage_upload(cont, charToRaw("one"), "x")
  lease <- acquire_lease(cont, "x", duration = -1)
  expect_type(lease, "character")
  e <- http_failure(storage_upload(cont, charToRaw("two"), "x"))
  expect_identical(e$status, 412L)
  expect_error(delete_blob(cont, "x", confirm = FALSE), class = "pool_http_error")
  expect_identical(change_lease(cont, "x", lease, guid), guid)
  expect_silent(storage_upload(cont, charToRaw("two"), "x", lease = guid))
  expect_silent(storage_upload(cont, bytes(3000), "x", lease = guid, blocksize = 1000))
  expect_identical(storage_download(cont, "x", NULL, lease = guid), bytes(3000))
  expect_silent(renew_lease(cont, "x", guid))
  expect_silent(break_lease(cont, "x", period = 10))
  expect_identical(http_failure(acquire_lease(cont, "x"))$status, 409L)
  expect_silent(release_lease(cont, "x", guid))
  again <- acquire_lease(cont, "x", duration = 15, lease = guid)
  expect_identical(again, guid)
  expect_silent(delete_blob(cont, "x", confirm = FALSE, lease = guid))
})

test_that("leases on a container", {
  cont <- local_container()
  lease <- acquire_lease(cont, duration = 15)
  expect_error(delete_storage_container(cont, confirm = FALSE), class = "pool_http_error")
  expect_identical(change_lease(cont, lease = lease, new_lease = guid), guid)
  expect_silent(renew_lease(cont, lease = guid))
  expect_silent(break_lease(cont, period = 0))
  lease <- acquire_lease(cont)
  expect_silent(delete_storage_container(cont, confirm = FALSE, lease = lease))
})

test_that("bad arguments", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs")
  for (bad in list(14, 61, -2, 0, NA, "x", 20.5)) {
    expect_input_error(acquire_lease(cont, "x", duration = bad), "duration")
  }
  expect_input_error(break_lease(cont, "x", period = 61), "period")
  expect_input_error(release_lease(cont, "x"), "lease")
  expect_input_error(renew_lease(cont, "x", 1), "lease")
  expect_input_error(change_lease(cont, "x", "a"), "new_lease")
  expect_input_error(acquire_lease(1), "container")
  expect_input_error(acquire_lease(cont, NA_character_), "blob")
})
