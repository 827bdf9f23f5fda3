/* SPDX-License-Identifier: MIT */
/* Hashes places by their origins. A place lives as long as it has a connection or a request. */
#include "http/place.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS = 256 };

static struct spt_link *bucket(const struct spt_place_table *table, uint32_t hash)
{
    return &table->buckets[hash % BUCKETS];
}

static bool make_buckets(struct spt_place_table *table)
{
    table->buckets = calloc(BUCKETS, sizeof *table->buckets);
    for (int i = 0; table->buckets && i < BUCKETS; i++)
        spt_link_init(&table->buckets[i]);
    return table->buckets != NULL;
}

void spt_place_release_table(struct spt_place_table *table)
{
    struct spt_link *link;
    for (int i = 0; table->buckets && i < BUCKETS; i++)
        while ((link = spt_list_pop(&table->buckets[i])))
            free(SPT_OF(link, struct spt_place, link));
    free(table->buckets);
    table->buckets = NULL;
}

static bool is_idle(const struct spt_place *place)
{
    return place->open > place->busy;
}

struct spt_place *spt_place_find_idle(const struct spt_place_table *table, uint32_t hash)
{
    if (!table->buckets)
        return NULL;
    struct spt_link *head = bucket(table, hash);
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_place *place = SPT_OF(l, struct spt_place, link);
        if (place->hash == hash && is_idle(place))
            return place;
    }
    return NULL;
}

struct spt_place *spt_place_get(struct spt_place_table *table, struct spt_multi *multi,
                                struct spt_place_sums *sums, uint32_t hash)
{
    if (!table->buckets && !make_buckets(table))
        return NULL;
    struct spt_link *head = bucket(table, hash);
    for (struct spt_link *l = head->next; l != head; l = l->next) {
        struct spt_place *place = SPT_OF(l, struct spt_place, link);
        if (place->hash == hash && place->multi == multi)
            return place;
    }
    struct spt_place *place = malloc(sizeof *place);
    if (!place)
        return NULL;
    *place = (struct spt_place){.table = table, .multi = multi, .sums = sums, .hash = hash};
    spt_link_init(&place->link);
    spt_list_push(head, &place->link);
    return place;
}

void spt_place_init_kept(struct spt_place *place, struct spt_multi *multi,
                         struct spt_place_sums *sums)
{
    *place = (struct spt_place){.multi = multi, .sums = sums};
    spt_link_init(&place->link);
}

/* Puts a place that has an idle connection before the others of its origin. */
static void put_first(struct spt_place *place)
{
    if (!place->table || !is_idle(place))
        return;
    spt_link_remove(&place->link);
    spt_list_push_front(bucket(place->table, place->hash), &place->link);
}

static void free_unused(struct spt_place *place)
{
    if (!place->table || place->open > 0 || place->busy > 0 || place->reserved > 0)
        return;
    spt_link_remove(&place->link);
    free(place);
}

void spt_place_enter(struct spt_place *place, struct spt_place_use *use, bool opens)
{
    assert(!use->place);
    *use = (struct spt_place_use){place, opens};
    place->busy += !opens;
    place->reserved += opens;
    place->sums->connections += opens;
    place->sums->requests++;
}

void spt_place_settle(struct spt_place_use *use)
{
    struct spt_place *place = use->place;
    if (!use->opens)
        return;
    use->opens = false;
    place->reserved--;
    place->sums->connections--;
    place->busy++;
}

void spt_place_leave(struct spt_place_use *use)
{
    struct spt_place *place = use->place;
    if (!place)
        return;
    spt_place_settle(use);
    use->place = NULL;
    place->busy--;
    place->sums->requests--;
    put_first(place);
    free_unused(place);
}

void spt_place_opened(struct spt_place *place)
{
    place->open++;
    place->sums->connections++;
}

void spt_place_closed(struct spt_place *place)
{
    place->open--;
    place->sums->connections--;
    free_unused(place);
}
