/* A cut is a change of colours that stands out: a camera that moves changes them, too, but in each moment. */
#include "scenes.h"

#include "archive/search/nearest.h"

/* Chosen on other videos than those that docs/archive.md reports on. */
const RvmSceneOptions rvm_scene_defaults = { .cut = 0.04, .stands = 8, .least = 500000000 };

enum { AROUND = 2 /* moments before and after */ };

/* (transfer full): the change from each moment of a video to the next one; count - 1 of them. */
static float *
measure_changes (const RvmTable *table, const RvmTableSpan *span)
{
  float *changes = g_new (float, span->count);

  for (gsize i = 0; i + 1 < span->count; i++) {
    const guint16 *vector = table->halves + (span->first + i) * table->dim;

    changes[i] = MAX (1 - rvm_nearest_product (vector, vector + table->dim, table->dim), 0);
  }
  return changes;
}

/* Whether change @at is larger than those around it. */
static gboolean
stands_out (const float *changes, gsize n, gsize at, double times)
{
  double sum = 0;
  guint others = 0;

  for (gsize i = at > AROUND ? at - AROUND : 0; i < n && i <= at + AROUND; i++)
    if (i != at) {
      if (changes[i] > changes[at])
        return FALSE;
      sum += changes[i];
      others++;
    }
  return others == 0 || changes[at] * others >= times * sum;
}

static void
find_of_video (const RvmTable *table, const RvmTableSpan *span, const RvmSceneOptions *options, GArray *scenes)
{
  const gint64 *times = table->times + span->first, end = MAX (times[0] + MAX (span->record->duration, 0), times[span->count - 1]);
  g_autofree float *changes = measure_changes (table, span);
  RvmScene scene = { .record = span->record, .number = 1, .start = times[0], .first = span->first };

  for (gsize i = 0; i + 1 < span->count; i++) {
    const gint64 next = times[i + 1];

    if (changes[i] < options->cut || next - scene.start < options->least || end - next < options->least
        || !stands_out (changes, span->count - 1, i, options->stands))
      continue;
    scene.end = next;
    scene.count = span->first + i + 1 - scene.first;
    g_array_append_val (scenes, scene);
    scene = (RvmScene){ .record = span->record, .number = scene.number + 1, .start = next, .first = span->first + i + 1, .change = changes[i] };
  }
  scene.end = end;
  scene.count = span->first + span->count - scene.first;
  g_array_append_val (scenes, scene);
}

GArray *
rvm_scenes_find (const RvmTable *table, const gboolean *marked, const RvmSceneOptions *options)
{
  GArray *scenes = g_array_new (FALSE, FALSE, sizeof (RvmScene));

  for (guint s = 0; s < table->spans->len; s++)
    if (marked == NULL || marked[s])
      find_of_video (table, &g_array_index (table->spans, RvmTableSpan, s), options, scenes);
  return scenes;
}
