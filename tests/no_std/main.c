#include <stdio.h>

int check(void);

int main(int count, char **arguments) {
    (void)count;
    int failed = check();
    printf("%s: %s\n", arguments[0], failed ? "failed" : "ok");
    return failed;
}
