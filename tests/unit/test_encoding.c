/* SPDX-License-Identifier: MIT */
/* tests/unit/test_encoding.c: gzip and tags. */
#include <zlib.h>

#include "http/encoding.h"
#include "test.h"

TEST(gzip_is_taken_where_it_is_named_and_not_refused)
{
        CHECK(encoding_takes_gzip("gzip"));
        CHECK(encoding_takes_gzip("br, GZIP ;q=0.1, *;q=0"));
        CHECK(encoding_takes_gzip("deflate,*"));
        CHECK(!encoding_takes_gzip(NULL));
        CHECK(!encoding_takes_gzip(""));
        CHECK(!encoding_takes_gzip("br"));
        CHECK(!encoding_takes_gzip("gzipped"));
        CHECK(!encoding_takes_gzip("gzip;q=0"));
        CHECK(!encoding_takes_gzip("*, gzip; q=0.000"));
        CHECK(!encoding_takes_gzip("*;q=0"));
}

TEST(a_media_type_is_taken_where_it_is_named_and_not_refused)
{
        const char type[] = "text/event-stream";

        CHECK(encoding_names_type("text/event-stream", type));
        CHECK(encoding_names_type("application/json;q=0.5, Text/Event-Stream ; q=0.1", type));
        CHECK(!encoding_names_type(NULL, type));
        CHECK(!encoding_names_type("", type));
        CHECK(!encoding_names_type("*/*", type));
        CHECK(!encoding_names_type("text/*, application/json", type));
        CHECK(!encoding_names_type("text/event-streams", type));
        CHECK(!encoding_names_type("text/event-stream;q=0", type));
}

TEST(what_was_gzipped_is_the_same_again)
{
        char text[5000], back[sizeof(text)];
        z_stream z = {.next_out = (Bytef *)back, .avail_out = sizeof(back)};
        struct strbuf b = {0};

        for (size_t i = 0; i < sizeof(text); i++)
                text[i] = (char)(i * i % 251);
        CHECK(encoding_gzip(text, sizeof(text), &b));
        z.next_in = (Bytef *)b.s;
        z.avail_in = (uInt)b.len;
        CHECK_INT(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
        CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
        inflateEnd(&z);
        assert_memory_equal(back, text, sizeof(text));
        strbuf_done(&b);
}

TEST(what_was_gzipped_is_unzipped_to_its_size_and_to_no_other)
{
        struct strbuf zipped = {0}, plain = {0}, longer = {0}, shorter = {0}, cut = {0};

        CHECK(encoding_gzip("hello, hello, hello", 19, &zipped));
        CHECK(encoding_gunzip(zipped.s, zipped.len, 19, &plain));
        CHECK_STR(strbuf_text(&plain), "hello, hello, hello");
        CHECK(!encoding_gunzip(zipped.s, zipped.len, 20, &longer));
        CHECK(!encoding_gunzip(zipped.s, zipped.len, 18, &shorter));
        CHECK(!encoding_gunzip(zipped.s, zipped.len - 9, 19, &cut));
        strbuf_done(&zipped);
        strbuf_done(&plain);
        strbuf_done(&longer);
        strbuf_done(&shorter);
        strbuf_done(&cut);
}

TEST(a_tag_tells_bodies_and_codings_apart)
{
        char a[ETAG_MAX], b[ETAG_MAX], zipped[ETAG_MAX];

        etag_text("a", 1, false, a);
        etag_text("b", 1, false, b);
        etag_text("a", 1, true, zipped);
        assert_string_not_equal(a, b);
        assert_string_not_equal(a, zipped);
}

TEST(a_tag_is_found_in_a_list_whatever_its_coding)
{
        char tag[ETAG_MAX], zipped[ETAG_MAX], list[3 * ETAG_MAX];

        etag_text("a", 1, false, tag);
        etag_text("a", 1, true, zipped);
        CHECK(etag_matches(tag, tag));
        CHECK(etag_matches(zipped, tag));
        CHECK(etag_matches(tag, zipped));
        CHECK(etag_matches("*", tag));
        strcat(strcat(strcpy(list, "\"x\" , W/"), tag), ", \"y\"");
        CHECK(etag_matches(list, tag));
        CHECK(!etag_matches(NULL, tag));
        CHECK(!etag_matches("", tag));
        CHECK(!etag_matches("\"x\"", tag));
        CHECK(!etag_matches("\"", tag));
        tag[strlen(tag) - 1] = '\0';
        CHECK(!etag_matches(tag, zipped));
}

TEST_MAIN("encoding")
