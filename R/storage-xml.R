# XML of the services: read without anything that a document could make a reader
# do, and written.

# The document. What could define entities is refused: no service sends any.
read_xml_safely <- function(body) {
  if (any(body == 0) || grepl("<!DOCTYPE", rawToChar(body), fixed = TRUE, useBytes = TRUE)) {
    stop_answer("XML with a document type, or in an encoding that no service uses")
  }
  # Neither entities nor the network: the defaults, "NOBLANKS", have neither
  # NOENT nor DTDLOAD.
  tryCatch(
    xml2::read_xml(body, options = c("NOBLANKS", "NONET")),
    error = function(e) stop_answer("XML that cannot be read")
  )
}

xml_list <- function(body) xml2::as_list(read_xml_safely(body))[[1L]]

# The texts of one child of each of the nodes; NA where there is none.
xml_column <- function(nodes, name) {
  xml2::xml_text(xml2::xml_find_first(nodes, paste0("./", name)))
}

# The next page's marker, or NULL.
xml_marker <- function(doc) {
  marker <- xml2::xml_text(xml2::xml_find_first(doc, "./NextMarker"))
  if (is.na(marker) || !nzchar(marker)) NULL else marker
}

xml_escape <- function(text) {
  text <- gsub("&", "&amp;", enc2utf8(text), fixed = TRUE)
  text <- gsub("<", "&lt;", text, fixed = TRUE)
  text <- gsub(">", "&gt;", text, fixed = TRUE)
  # A reader makes "\n" of it otherwise.
  gsub("\r", "&#13;", text, fixed = TRUE)
}

xml_element <- function(name, text) paste0("<", name, ">", text, "</", name, ">")

xml_document <- function(content) {
  charToRaw(paste0("<?xml version=\"1.0\" encoding=\"utf-8\"?>", content))
}

# "Sun, 06 Nov 1994 08:49:37 GMT" in any locale, as POSIXct.
http_time <- function(text) {
  month <- match(substr(text, 9L, 11L), month.abb)
  iso <- sprintf("%s-%02d-%s %s", substr(text, 13L, 16L), month, substr(text, 6L, 7L),
    substr(text, 18L, 25L))
  as.POSIXct(strptime(iso, "%Y-%m-%d %H:%M:%S", tz = "GMT"))
}
