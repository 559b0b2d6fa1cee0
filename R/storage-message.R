# Messages of a storage queue: what is sent, and what an answer says.

message_path <- function(id) {
  paste0("/messages/", escape(check_text(id, "id", 1L)))
}

receipt <- function(pop_receipt) {
  list(popreceipt = check_text(pop_receipt, "pop_receipt", 1L))
}

message_body <- function(text, base64) {
  text <- enc2utf8(check_text(text, "text", 1L))
  if (check_flag(base64, "base64")) {
    text <- base64_encode(text)
  } else if (grepl("[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f]", text, perl = TRUE)) {
    stop_input("text", NULL, "'text' has a control character: with base64 = FALSE that ",
      "cannot be sent")
  }
  if (nchar(text, "bytes") > 65536) {
    stop_input("text", NULL, "'text' is too long: a message has at most 65,536 bytes, ",
      if (base64) "which are 49,152 in base64, " else "", "not ", nchar(text, "bytes"))
  }
  xml_document(xml_element("QueueMessage", xml_element("MessageText", xml_escape(text))))
}

# NA: what is no text in base64. An error would keep the message in the queue, for
# the next one who asks.
message_text <- function(text, base64) {
  if (!base64 || is.na(text)) {
    return(text)
  }
  bytes <- base64_decode(text)
  if (is.null(bytes) || any(bytes == 0) || !validUTF8(rawToChar(bytes))) {
    return(NA_character_)
  }
  text <- rawToChar(bytes)
  Encoding(text) <- "UTF-8"
  text
}

message_table <- function(body, base64, text = NULL) {
  nodes <- xml2::xml_find_all(read_xml_safely(body), "./QueueMessage")
  found <- xml_column(nodes, "MessageText")
  data.frame(
    id = xml_column(nodes, "MessageId"),
    text = text %||% vapply(found, message_text, "", base64, USE.NAMES = FALSE),
    pop_receipt = xml_column(nodes, "PopReceipt"),
    dequeue_count = as.integer(xml_column(nodes, "DequeueCount")),
    inserted = http_time(xml_column(nodes, "InsertionTime")),
    expires = http_time(xml_column(nodes, "ExpirationTime")),
    next_visible = http_time(xml_column(nodes, "TimeNextVisible")),
    stringsAsFactors = FALSE
  )
}
