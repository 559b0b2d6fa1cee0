# The type of a file by the ending of its name.

content_types <- c(
  avi = "video/x-msvideo", bmp = "image/bmp", bz2 = "application/x-bzip2",
  css = "text/css", csv = "text/csv", doc = "application/msword",
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  epub = "application/epub+zip", gif = "image/gif", gz = "application/gzip",
  htm = "text/html", html = "text/html", ico = "image/vnd.microsoft.icon",
  jpeg = "image/jpeg", jpg = "image/jpeg", js = "text/javascript",
  json = "application/json", md = "text/markdown", mp3 = "audio/mpeg",
  mp4 = "video/mp4", ods = "application/vnd.oasis.opendocument.spreadsheet",
  parquet = "application/vnd.apache.parquet", pdf = "application/pdf",
  png = "image/png", ppt = "application/vnd.ms-powerpoint",
  pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  r = "text/plain", rmd = "text/plain", rtf = "application/rtf",
  svg = "image/svg+xml", tar = "application/x-tar", tex = "text/x-tex",
  tif = "image/tiff", tiff = "image/tiff", tsv = "text/tab-separated-values",
  txt = "text/plain", wav = "audio/x-wav", webp = "image/webp",
  xls = "application/vnd.ms-excel",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  xml = "application/xml", xz = "application/x-xz", yaml = "application/yaml",
  yml = "application/yaml", zip = "application/zip"
)

content_type <- function(path) {
  name <- basename(path)
  ending <- if (grepl(".", name, fixed = TRUE)) tolower(sub("^.*[.]", "", name)) else ""
  type <- content_types[ending]
  if (is.na(type)) "application/octet-stream" else unname(type)
}
