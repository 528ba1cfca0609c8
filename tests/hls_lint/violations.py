"""Planted violations, by rule. Behind ``// !`` stand the rules that must fire on the line."""

PLANTED = {
    "dynamic-memory": """
int* f1() { return new int; }  // ! dynamic-memory
void f2(int* p) { delete p; }  // ! dynamic-memory
void f3() { void* p = malloc(4); }  // ! dynamic-memory
struct S { S(const S&) = delete; };
void f4(int n) { unique_ptr<int> p; }  // ! dynamic-memory
""",
    "recursion": """
int direct(int n) {  // ! recursion
  return n == 0 ? 1 : n * direct(n - 1);
}
