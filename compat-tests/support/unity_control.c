/*  Linked into every program beside upstream's Unity, so that the programs themselves stay unmodified:
    - a line of output is written at once, so that a crash doesn't swallow the results before it;
    - the environment variable UNITY_INCLUDE selects cases by a part of their name. */

#include <stdio.h>
#include <stdlib.h>

extern char *UnityOptionIncludeNamed;

__attribute__ ((constructor)) static void control_unity (void)
{
    setvbuf (stdout, NULL, _IOLBF, BUFSIZ);
    UnityOptionIncludeNamed = getenv ("UNITY_INCLUDE");
}
