/*  Linked into every program beside upstream's Unity, so that the programs themselves stay unmodified:
    - a line of output is written at once, so that a crash doesn't swallow the results before it;
    - the environment variable UNITY_INCLUDE selects cases by a part of their name. Unity has such an option, but looks at it in runners that it
      has generated only, and upstream's programs call the function below themselves. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*  The linker's --wrap puts the second in the place of the first. */
void __real_UnityDefaultTestRun (void (*test) (void), const char *name, int line);
void __wrap_UnityDefaultTestRun (void (*test) (void), const char *name, int line);

void __wrap_UnityDefaultTestRun (void (*test) (void), const char *name, int line)
{
    const char *wanted = getenv ("UNITY_INCLUDE");
    if (wanted == NULL || strstr (name, wanted) != NULL)
        __real_UnityDefaultTestRun (test, name, line);
}

__attribute__ ((constructor)) static void control_unity (void)
{
    setvbuf (stdout, NULL, _IOLBF, BUFSIZ);
}
