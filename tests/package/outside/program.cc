// SPDX-License-Identifier: MIT
// A project outside this one, in C++20: a function for scripts that waits, with the headers alone.
#include <septet/op.h>

#include <cstdio>

namespace
{

struct answer_op {
    septet_op op;
    int answer;
};

int answer_start(septet_op *op)
{
    reinterpret_cast<answer_op *>(op)->answer = 42;
    septet_op_done(op, SEPTET_OK);
    return SEPTET_OK;
}

void answer_cancel(septet_op *)
{
}

int answer_push(septet_op *op, lua_State *L)
{
    lua_pushinteger(L, reinterpret_cast<answer_op *>(op)->answer);
    return 1;
}

const septet_op_type answer_type = {
    .name = "answer",
    .size = sizeof(answer_op),
    .flags = SEPTET_OP_EXTERNAL,
    .abi = SEPTET_OP_ABI,
    .start = answer_start,
    .cancel = answer_cancel,
    .push = answer_push,
    .close = nullptr,
    .describe = nullptr,
    .blockers = nullptr,
};

int l_answer(lua_State *L)
{
    return septet_op_await(L, septet_op_new(L, &answer_type));
}

} // namespace

int main()
{
    septet_config config;
    septet_config_init(&config);
    config.on_error = [](void *, const septet_error *error) { std::puts(error->message); };
    septet_host *host = septet_new(&config, nullptr);
    if (!host)
        return 1;
    lua_register(septet_lua(host), "answer", l_answer);
    int rc = septet_load_string(host, "=script", "print('the answer is ' .. answer())");
    if (rc == SEPTET_OK)
        rc = septet_run(host);
    septet_free(host);
    return rc == SEPTET_OK ? 0 : 1;
}
