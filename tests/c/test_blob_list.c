/* A page of a listing: what is said, what is refused, what is cut or changed.
 */
#include <errno.h>

#include "blob_list.h"
#include "test.h"
#include "xml.h"

static const char page[] =
	"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>"
	"<EnumerationResults ContainerName='c &amp; "
	"d'>\n<MaxResults>2</MaxResults>"
	"<Blobs><Blob><Name>a&lt;&#x20AC;&#65;</Name><Snapshot>s</Snapshot>"
	"<Properties><Content-Length>0</Content-Length><Content-MD5 />"
	"<Tag>x</Tag></Properties><Metadata><k>v</k></Metadata></Blob>"
	"<BlobPrefix><Name>d/</Name></BlobPrefix>"
	"<Blob><Name Encoded=\"true\">%01%C3%A4</Name><Properties>"
	"<Content-Length>12</Content-Length></Properties></Blob></Blobs>"
	"<NextMarker>m&amp;</NextMarker></EnumerationResults> \n";

static const char *column_name(const struct blob_list *l, size_t i, size_t *n)
{
	*n = l->columns[i].name.len;
	return (const char *)l->texts.bytes + l->columns[i].name.at;
}

static bool cell_is(const struct blob_list *l, const char *column, size_t row,
		    const char *text)
{
	for (size_t i = 0; i < l->n_columns; i++) {
		size_t n;
		const char *name = column_name(l, i, &n);
		if (n != strlen(column) || memcmp(name, column, n) != 0)
			continue;
		struct blob_cell c = row < l->columns[i].n
					     ? l->columns[i].cells[row]
					     : (struct blob_cell){0, 0};
		return c.len == strlen(text) &&
		       memcmp(l->texts.bytes + c.at, text, c.len) == 0;
	}
	return false;
}

static void test_good(void)
{
	struct blob_list l;
	CHECK(blob_list_read(&l, page, sizeof page - 1, NULL, 0) == 0);
	CHECK(l.n == 3 && !l.prefix[0] && l.prefix[1] && !l.prefix[2]);
	CHECK(cell_is(&l, "Name", 0,
		      "a<\xe2\x82\xac"
		      "A"));
	CHECK(cell_is(&l, "Name", 1, "d/"));
	CHECK(cell_is(&l, "Name", 2, "\x01\xc3\xa4"));
	CHECK(cell_is(&l, "Content-Length", 0, "0"));
	CHECK(cell_is(&l, "Content-Length", 1, ""));
	CHECK(cell_is(&l, "Content-Length", 2, "12"));
	CHECK(cell_is(&l, "Snapshot", 0, "s") && cell_is(&l, "Tag", 0, "x"));
	CHECK(l.n_columns == 4);
	CHECK(l.marker.len == 2 &&
	      memcmp(l.texts.bytes + l.marker.at, "m&", 2) == 0);
	blob_list_release(&l);

	const char *const wanted[] = {"Name"};
	CHECK(blob_list_read(&l, page, sizeof page - 1, wanted, 1) == 0);
	CHECK(l.n == 3 && l.n_columns == 1);
	blob_list_release(&l);

	const char *const meta[] = {"Tag", "Metadata/k", "k", "Metadata/Tag"};
	CHECK(blob_list_read(&l, page, sizeof page - 1, meta, 4) == 0);
	CHECK(l.n == 3 && l.n_columns == 2);
	CHECK(cell_is(&l, "Metadata/k", 0, "v") && cell_is(&l, "Tag", 0, "x"));
	CHECK(cell_is(&l, "Metadata/k", 1, ""));
	blob_list_release(&l);
}

static int read_text(const char *text)
{
	struct blob_list l;
	int rc = blob_list_read(&l, text, strlen(text), NULL, 0);
	blob_list_release(&l);
	return rc;
}

static void test_bad(void)
{
#define PAGE(x) "<EnumerationResults><Blobs>" x "</Blobs></EnumerationResults>"
	static const char *const bad[] = {
		"",
		" ",
		"x",
		"<",
		"<a",
		"<a/>",
		"<a></b>",
		"<EnumerationResults>",
		"<EnumerationResults></EnumerationResults",
		"<!DOCTYPE a><EnumerationResults/>",
		"<EnumerationResults/><x/>",
		"<EnumerationResults/>x",
		PAGE("<Blob/>"),
		PAGE("<Blob><Name/></Blob>"),
		PAGE("<Blob><Name>a</Name><Name>a</Name></Blob>"),
		PAGE("<Blob><Name>a</Name><X>1</X><X>2</X></Blob>"),
		PAGE("<Blob><Name>&unknown;</Name></Blob>"),
		PAGE("<Blob><Name>&#0;</Name></Blob>"),
		PAGE("<Blob><Name>&#x110000;</Name></Blob>"),
		PAGE("<Blob><Name>&#xD800;</Name></Blob>"),
		PAGE("<Blob><Name>&#;</Name></Blob>"),
		PAGE("<Blob><Name>&#99999999999999999999;</Name></Blob>"),
		PAGE("<Blob><Name>&amp</Name></Blob>"),
		PAGE("<Blob><Name>\xff</Name></Blob>"),
		PAGE("<Blob><Name>\xc0\x80</Name></Blob>"),
		PAGE("<Blob><Name>\xed\xa0\x80</Name></Blob>"),
		PAGE("<Blob><Name>\x01</Name></Blob>"),
		PAGE("<Blob><Name Encoded=\"true\">%00</Name></Blob>"),
		PAGE("<Blob><Name Encoded=\"true\">%4</Name></Blob>"),
		PAGE("<Blob a=b><Name>a</Name></Blob>"),
		PAGE("<Blob a=\"<\"><Name>a</Name></Blob>"),
		PAGE("<Blob a=\"x><Name>a</Name></Blob>"),
		PAGE("<Blob a='x'b='y'><Name>a</Name></Blob>"),
		PAGE("<Blob /a><Name>a</Name></Blob>"),
		PAGE("<!-- -->"),
		PAGE("<![CDATA[x]]>"),
		PAGE("<?x?>"),
		PAGE("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"),
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(read_text(bad[i]) == -EBADMSG);
	CHECK(read_text(PAGE("")) == 0);
	CHECK(read_text(PAGE("<Blob><Name>a</Name></Blob>")) == 0);
	CHECK(read_text("<EnumerationResults/>") == 0);
	CHECK(read_text(PAGE("<Other><Name>a</Name></Other>")) == 0);
}

/* Also from memory of just that size, so that a byte too far is seen. */
static int read_copy(const unsigned char *bytes, size_t n)
{
	unsigned char *copy = malloc(n > 0 ? n : 1);
	CHECK(copy);
	memcpy(copy, bytes, n);
	struct blob_list l;
	int rc = blob_list_read(&l, copy, n, NULL, 0);
	CHECK(rc == 0 || rc == -EBADMSG);
	blob_list_release(&l);
	free(copy);
	return rc;
}

static void test_cut(void)
{
	const size_t whole = sizeof page - 1;
	for (size_t n = 0; n < whole; n++) {
		int rc = read_copy((const unsigned char *)page, n);
		CHECK(rc == -EBADMSG || n >= whole - 2);
	}
}

static void test_changed(void)
{
	static const char bits[] = "<>&;/#x=\"' %A\0\xff\x80";
	unsigned char bytes[sizeof page - 1];
	for (int round = 0; round < 200000; round++) {
		memcpy(bytes, page, sizeof bytes);
		size_t n = sizeof bytes - test_below(2) * test_below(200);
		for (size_t k = 0; k <= test_below(4); k++)
			bytes[test_below(n)] = (unsigned char)
				bits[test_below(sizeof bits - 1)];
		(void)read_copy(bytes, n);
	}
}

static void test_columns(void)
{
	char text[8192] = "<EnumerationResults><Blobs><Blob><Name>a</Name>"
			  "<Properties>";
	size_t n = strlen(text);
	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "<p%d>1</p%d>",
				      i, i);
	(void)snprintf(text + n, sizeof text - n,
		       "</Properties></Blob></Blobs></EnumerationResults>");
	CHECK(read_text(text) == -EBADMSG); /* more than there is room for */
}

int main(void)
{
	test_good();
	test_bad();
	test_cut();
	test_changed();
	test_columns();
	return 0;
}
