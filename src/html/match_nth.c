/* SPDX-License-Identifier: MIT */
/* Counts siblings back to the one that was asked for before in the same parent. A walk in the order
 * of the page thus counts each of them once, where counting from the first one would take a time
 * that grows with their square. */
#include "html/match_parts.h"

static bool counts(struct spt_html_match *m, const struct spt_html_simple *s, uint32_t element,
                   uint32_t sibling, spt_html_match_list *list)
{
    const struct spt_html_node *nodes = m->doc->nodes;
    if (s->of_type)
        return nodes[sibling].name == nodes[element].name &&
               nodes[sibling].space == nodes[element].space;
    return !s->list || list(m, s->list, sibling);
}

static struct spt_html_place *place_of(struct spt_html_match *m, const struct spt_html_simple *s,
                                       uint32_t element)
{
    const struct spt_html_node *node = &m->doc->nodes[element];
    const uint32_t name = s->of_type ? node->name * 4 + node->space : 0;
    const uint32_t hash = (node->parent + name * 7) % SPT_HTML_MATCH_PLACES;
    struct spt_html_place *place = &m->places[s->slot * SPT_HTML_MATCH_PLACES + hash];
    if (place->parent != node->parent || place->name != name)
        *place = (struct spt_html_place){node->parent, name, SPT_HTML_NONE, 0};
    return place;
}

static uint32_t from_start(struct spt_html_match *m, const struct spt_html_simple *s,
                           const struct spt_html_place *place, uint32_t element,
                           spt_html_match_list *list)
{
    uint32_t n = 1, i = spt_html_match_before(m, element);
    for (; i != SPT_HTML_NONE; i = spt_html_match_before(m, i)) {
        if (i == place->element)
            return n + place->place;
        if (!spt_html_budget_spend(m->budget, 1))
            return 0;
        n += counts(m, s, element, i, list);
    }
    return n;
}

static uint32_t from_end(struct spt_html_match *m, const struct spt_html_simple *s,
                         const struct spt_html_place *place, uint32_t element,
                         spt_html_match_list *list)
{
    uint32_t n = 1, i;
    if (place->element != SPT_HTML_NONE && place->element < element) {
        i = spt_html_match_before(m, element);
        for (; i != place->element; i = spt_html_match_before(m, i)) {
            if (i == SPT_HTML_NONE || !spt_html_budget_spend(m->budget, 1))
                return 0;
            n += counts(m, s, element, i, list);
        }
        return place->place - n;
    }
    i = spt_html_match_behind(m, element);
    while (i != SPT_HTML_NONE) {
        if (!spt_html_budget_spend(m->budget, 1))
            return 0;
        n += counts(m, s, element, i, list);
        i = spt_html_match_behind(m, i);
    }
    return n;
}

bool spt_html_match_nth(struct spt_html_match *m, const struct spt_html_simple *s, uint32_t element,
                        spt_html_match_list *list)
{
    if (s->list && !list(m, s->list, element))
        return false;
    if (s->a == 0 && s->b == 1 && !s->of_type && !s->list) /* the first or the last child */
        return s->from_end ? spt_html_match_behind(m, element) == SPT_HTML_NONE
                           : spt_html_match_before(m, element) == SPT_HTML_NONE;
    struct spt_html_place *place = place_of(m, s, element);
    if (place->element != element) {
        uint32_t n = s->from_end ? from_end(m, s, place, element, list)
                                 : from_start(m, s, place, element, list);
        place->element = element;
        place->place = n;
    }
    const int64_t beyond = (int64_t)place->place - s->b;
    return s->a == 0 ? beyond == 0 : beyond % s->a == 0 && beyond / s->a >= 0;
}
