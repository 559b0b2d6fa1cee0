/* When the elements of a claim ran. */
#include "lap.h"

/* Of one claim: past that, the rest has no rows. */
static const size_t MOST = (size_t)64 << 20;

void lap_open(struct laps *l, bool on)
{
	if (on && l->rows.max == 0)
		buf_init(&l->rows, MOST);
	if (l->rows.max > 0)
		buf_clear(&l->rows);
	l->on = on;
	l->running = l->quick = false;
}

void lap_begin(struct laps *l, uint64_t element, uint64_t now)
{
	l->running = true;
	l->element = element;
	l->since = now;
}

/* The last row. Rows begin where malloc()'s memory does. */
static struct lap *last_row(struct laps *l)
{
	struct lap *rows = (struct lap *)(void *)l->rows.bytes;
	return &rows[l->rows.len / sizeof(*rows) - 1];
}

void lap_end(struct laps *l, uint64_t now, bool failed)
{
	if (!l->running)
		return;
	l->running = false;
	bool quick = !failed && now - l->since < LAP_QUICK;
	if (quick && l->quick) {
		struct lap *last = last_row(l);
		if (last->first + last->count == l->element &&
		    l->since - last->end < LAP_QUICK &&
		    now - last->begin < LAP_LONGEST) {
			last->end = now;
			last->count++;
			return;
		}
	}
	const struct lap row = {.begin = l->since,
				.end = now,
				.first = l->element,
				.count = 1,
				.failed = failed};
	l->quick = buf_append(&l->rows, &row, sizeof(row)) == 0 && quick;
}

bool lap_fits(const struct lap *row, uint64_t first, uint64_t count)
{
	return row->begin <= row->end && row->failed <= 1 && row->count > 0 &&
	       row->count <= count && row->first >= first &&
	       row->first - first <= count - row->count;
}
