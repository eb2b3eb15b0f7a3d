/* What an argument VIDEO means to the application in C, and the elements that read it: rvm_source.py in C. A file, an address (http://, rtsp://,
 * file://), "-" for standard input, pictures that are frames (frame_%05d.png, a glob, or a folder of them), an animated GIF. */
#pragma once
#include <gst/gst.h>

typedef struct _RvmSource RvmSource;

/* The videos that @argument names: those of a folder, or itself. NULL with @error where there is nothing. */
char **rvm_source_find (const char *argument, GError **error);

/* Adds elements to @pipeline, which is stopped, and will link them to @sink. @rate_n / @rate_d: frames a second of pictures. Free it when the pipeline
 * has stopped. */
RvmSource *rvm_source_new (GstBin *pipeline, const char *video, int rate_n, int rate_d, GstPad *sink, GError **error);
void rvm_source_free (RvmSource *source);

/* From any thread. Frames that came so far; how far any stream of the file got; whether it turned out to have no video stream. */
guint64 rvm_source_get_frames (RvmSource *source);
GstClockTime rvm_source_get_end (RvmSource *source);
gboolean rvm_source_has_no_video (RvmSource *source);
