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

test_that("what is asked for again after a lost answer is done once", {
  cont <- local_container()
  storage_upload(cont, raw(1), "x")
  port <- engine_proxy(rep("PUT|lease|1|lost", 2))
  there <- cont
  there$endpoint$url <- sub(":[0-9]+/", paste0(":", port, "/"), cont$endpoint$url)
  lease <- acquire_lease(there, "x", duration = -1)
  expect_match(lease, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
  expect_silent(release_lease(there, "x", lease))
  expect_silent(storage_upload(cont, raw(2), "x"))
  # At the first try it is what it says.
  expect_identical(http_failure(release_lease(cont, "x", lease))$status, 409L)
})

test_that("leases are not of R's random numbers", {
  set.seed(1)
  before <- .Random.seed
  ids <- replicate(50, pool:::new_guid())
  expect_identical(.Random.seed, before)
  expect_identical(anyDuplicated(ids), 0L)
})
