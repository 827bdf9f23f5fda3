// SPDX-License-Identifier: MIT
// A host in C++: it ends with its scope, and its callbacks are lambdas. A C++ exception must not
// leave a callback or a function that a script calls, because Lua is compiled as C. Nor may a
// function that raises a Lua error, or waits, hold an object with a destructor meanwhile.
#include <septet/op.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace
{

struct EndHost {
    void operator()(septet_host *host) const
    {
        septet_free(host);
    }
};
using Host = std::unique_ptr<septet_host, EndHost>;

struct Game {
    std::vector<std::string> said;
    int errors = 0;
    struct Turn *waiting = nullptr; // the first of a list
};

// A wait for the game's next turn. Its head is the operation, so that a pointer to one is a pointer
// to the other.
struct Turn {
    septet_op op;
    Game *game;
    Turn *next;
};

Turn *turn_of(septet_op *op)
{
    return reinterpret_cast<Turn *>(op);
}

int turn_start(septet_op *op)
{
    Turn *turn = turn_of(op);
    turn->next = turn->game->waiting;
    turn->game->waiting = turn;
    return SEPTET_OK;
}

void turn_cancel(septet_op *op)
{
    Turn **at = &turn_of(op)->game->waiting;
    while (*at != turn_of(op))
        at = &(*at)->next;
    *at = (*at)->next;
}

int turn_push(septet_op *, lua_State *)
{
    return 0;
}

// C++20 names the members in the order of the struct; those that are left out are NULL.
const septet_op_type turn_type = {
    .name = "turn",
    .size = sizeof(Turn),
    .flags = SEPTET_OP_EXTERNAL,
    .abi = SEPTET_OP_ABI,
    .start = turn_start,
    .cancel = turn_cancel,
    .push = turn_push,
};

Game *game_of(lua_State *L)
{
    return static_cast<Game *>(septet_userdata(septet_host_of(L)));
}

// next_turn(): waits for the game's next turn.
int l_next_turn(lua_State *L)
{
    septet_op *op = septet_op_new(L, &turn_type);
    turn_of(op)->game = game_of(L);
    return septet_op_await(L, op);
}

// say(text)
int l_say(lua_State *L)
{
    const char *text = lua_tostring(L, 1);
    game_of(L)->said.emplace_back(text ? text : "");
    return 0;
}

void end_turn(Game &game)
{
    Turn *turn = game.waiting;
    game.waiting = nullptr;
    while (turn) {
        Turn *next = turn->next;
        septet_op_done(&turn->op, SEPTET_OK);
        turn = next;
    }
}

} // namespace

int main()
{
    Game game;
    septet_config config;
    septet_config_init(&config);
    config.ud = &game;
    config.on_error = [](void *ud, const septet_error *error) {
        static_cast<Game *>(ud)->errors++;
        std::fprintf(stderr, "%s\n%s\n", error->message, error->traceback);
    };
    Host host{septet_new(&config, nullptr)};
    if (!host)
        return 1;
    lua_register(septet_lua(host.get()), "next_turn", l_next_turn);
    lua_register(septet_lua(host.get()), "say", l_say);
    const char *script = "say 'first'  next_turn()  say 'second'  next_turn()  say 'third'";
    if (septet_load_string(host.get(), "=script", script) != SEPTET_OK)
        return 1;
    int turns = 0;
    for (; septet_step(host.get(), 1000) != SEPTET_DONE && turns < 1000; turns++)
        end_turn(game);
    for (const std::string &text : game.said)
        std::puts(text.c_str());
    return game.errors == 0 && turns == 2 && game.said.size() == 3 ? 0 : 1;
}
