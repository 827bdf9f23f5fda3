/* SPDX-License-Identifier: MIT */
/* The functions of each library that have a stub: all that are called anywhere. One that is missing
 * is not found when the program is linked. A FREE may be called with NULL before its library is
 * loaded, and does nothing then. */
#ifndef SPT_LAZY_NAMES_H
#define SPT_LAZY_NAMES_H

#include <curl/curlver.h>

#if LIBCURL_VERSION_NUM >= 0x080300
#define SPT_LAZY_curl_8_3(CALL) CALL(curl_global_trace)
#else
#define SPT_LAZY_curl_8_3(CALL)
#endif

#define SPT_LAZY_curl(CALL, FREE)                                                                  \
    FREE(curl_easy_cleanup)                                                                        \
    CALL(curl_easy_getinfo)                                                                        \
    CALL(curl_easy_init)                                                                           \
    CALL(curl_easy_pause)                                                                          \
    CALL(curl_easy_reset)                                                                          \
    CALL(curl_easy_setopt)                                                                         \
    CALL(curl_easy_strerror)                                                                       \
    FREE(curl_free)                                                                                \
    CALL(curl_global_init)                                                                         \
    CALL(curl_multi_add_handle)                                                                    \
    FREE(curl_multi_cleanup)                                                                       \
    CALL(curl_multi_info_read)                                                                     \
    CALL(curl_multi_init)                                                                          \
    CALL(curl_multi_remove_handle)                                                                 \
    CALL(curl_multi_setopt)                                                                        \
    CALL(curl_multi_socket_action)                                                                 \
    CALL(curl_multi_timeout)                                                                       \
    FREE(curl_share_cleanup)                                                                       \
    CALL(curl_share_init)                                                                          \
    CALL(curl_share_setopt)                                                                        \
    CALL(curl_slist_append)                                                                        \
    FREE(curl_slist_free_all)                                                                      \
    CALL(curl_url)                                                                                 \
    FREE(curl_url_cleanup)                                                                         \
    CALL(curl_url_get)                                                                             \
    CALL(curl_url_set)                                                                             \
    CALL(curl_version_info)                                                                        \
    SPT_LAZY_curl_8_3(CALL)

#define SPT_LAZY_cares(CALL, FREE)                                                                 \
    CALL(ares_cancel)                                                                              \
    FREE(ares_destroy)                                                                             \
    FREE(ares_freeaddrinfo)                                                                        \
    CALL(ares_getaddrinfo)                                                                         \
    CALL(ares_init_options)                                                                        \
    CALL(ares_library_init)                                                                        \
    CALL(ares_process_fd)                                                                          \
    CALL(ares_set_servers_ports_csv)                                                               \
    CALL(ares_strerror)                                                                            \
    CALL(ares_timeout)

#define SPT_LAZY_idn2(CALL, FREE)                                                                  \
    FREE(idn2_free)                                                                                \
    CALL(idn2_lookup_u8)

#define SPT_LAZY_z(CALL, FREE)                                                                     \
    CALL(inflate)                                                                                  \
    FREE(inflateEnd)                                                                               \
    CALL(inflateInit2_)                                                                            \
    CALL(inflateReset)

#define SPT_LAZY_brotlidec(CALL, FREE)                                                             \
    CALL(BrotliDecoderCreateInstance)                                                              \
    CALL(BrotliDecoderDecompressStream)                                                            \
    FREE(BrotliDecoderDestroyInstance)

#define SPT_LAZY_zstd(CALL, FREE)                                                                  \
    CALL(ZSTD_DCtx_setParameter)                                                                   \
    CALL(ZSTD_createDStream)                                                                       \
    CALL(ZSTD_decompressStream)                                                                    \
    FREE(ZSTD_freeDStream)                                                                         \
    CALL(ZSTD_isError)

#define SPT_LAZY_jansson(CALL, FREE)                                                               \
    CALL(json_array_get)                                                                           \
    CALL(json_array_size)                                                                          \
    FREE(json_delete)                                                                              \
    CALL(json_integer_value)                                                                       \
    CALL(json_loadb)                                                                               \
    CALL(json_object_iter)                                                                         \
    CALL(json_object_iter_key)                                                                     \
    CALL(json_object_iter_key_len)                                                                 \
    CALL(json_object_iter_next)                                                                    \
    CALL(json_object_iter_value)                                                                   \
    CALL(json_object_key_to_iter)                                                                  \
    CALL(json_object_size)                                                                         \
    CALL(json_real_value)                                                                          \
    CALL(json_string_length)                                                                       \
    CALL(json_string_value)

#define SPT_LAZY_crypto(CALL, FREE)                                                                \
    FREE(BIO_free)                                                                                 \
    CALL(BIO_new)                                                                                  \
    CALL(BIO_read)                                                                                 \
    CALL(BIO_s_mem)                                                                                \
    CALL(BIO_write)                                                                                \
    CALL(CRYPTO_memcmp)                                                                            \
    CALL(ERR_clear_error)                                                                          \
    CALL(ERR_peek_error)                                                                           \
    CALL(ERR_reason_error_string)                                                                  \
    CALL(EVP_Digest)                                                                               \
    CALL(EVP_DigestFinal_ex)                                                                       \
    CALL(EVP_DigestInit_ex)                                                                        \
    CALL(EVP_DigestUpdate)                                                                         \
    CALL(EVP_MAC_CTX_dup)                                                                          \
    FREE(EVP_MAC_CTX_free)                                                                         \
    CALL(EVP_MAC_CTX_new)                                                                          \
    CALL(EVP_MAC_fetch)                                                                            \
    CALL(EVP_MAC_final)                                                                            \
    FREE(EVP_MAC_free)                                                                             \
    CALL(EVP_MAC_init)                                                                             \
    CALL(EVP_MAC_update)                                                                           \
    CALL(EVP_MD_CTX_copy_ex)                                                                       \
    FREE(EVP_MD_CTX_free)                                                                          \
    CALL(EVP_MD_CTX_new)                                                                           \
    CALL(EVP_MD_fetch)                                                                             \
    FREE(EVP_MD_free)                                                                              \
    CALL(EVP_MD_get0_name)                                                                         \
    CALL(EVP_Q_digest)                                                                             \
    CALL(EVP_get_digestbyname)                                                                     \
    CALL(OSSL_PARAM_construct_end)                                                                 \
    CALL(OSSL_PARAM_construct_utf8_string)                                                         \
    CALL(RAND_bytes)                                                                               \
    CALL(X509_VERIFY_PARAM_set1_ip_asc)                                                            \
    CALL(X509_verify_cert_error_string)

#define SPT_LAZY_ssl(CALL, FREE)                                                                   \
    CALL(SSL_CTX_ctrl)                                                                             \
    FREE(SSL_CTX_free)                                                                             \
    CALL(SSL_CTX_new)                                                                              \
    CALL(SSL_CTX_set_default_verify_paths)                                                         \
    CALL(SSL_CTX_set_verify)                                                                       \
    CALL(SSL_ctrl)                                                                                 \
    CALL(SSL_do_handshake)                                                                         \
    FREE(SSL_free)                                                                                 \
    CALL(SSL_get0_param)                                                                           \
    CALL(SSL_get_error)                                                                            \
    CALL(SSL_get_verify_result)                                                                    \
    CALL(SSL_is_init_finished)                                                                     \
    CALL(SSL_new)                                                                                  \
    CALL(SSL_read)                                                                                 \
    CALL(SSL_set1_host)                                                                            \
    CALL(SSL_set_bio)                                                                              \
    CALL(SSL_set_connect_state)                                                                    \
    CALL(SSL_write)                                                                                \
    CALL(TLS_client_method)

#define SPT_LAZY_gumbo(CALL, FREE)                                                                 \
    CALL(gumbo_normalize_svg_tagname)                                                              \
    CALL(gumbo_normalized_tagname)                                                                 \
    CALL(gumbo_parse_with_options)

#define SPT_LAZY_hiredis(CALL, FREE)                                                               \
    CALL(redisReaderCreateWithFunctions)                                                           \
    CALL(redisReaderFeed)                                                                          \
    FREE(redisReaderFree)                                                                          \
    CALL(redisReaderGetReply)

#define SPT_LAZY_sqlite3(CALL, FREE)                                                               \
    CALL(sqlite3_bind_double)                                                                      \
    CALL(sqlite3_bind_int64)                                                                       \
    CALL(sqlite3_bind_null)                                                                        \
    CALL(sqlite3_bind_parameter_count)                                                             \
    CALL(sqlite3_bind_text64)                                                                      \
    CALL(sqlite3_changes)                                                                          \
    FREE(sqlite3_close)                                                                            \
    CALL(sqlite3_column_bytes)                                                                     \
    CALL(sqlite3_column_count)                                                                     \
    CALL(sqlite3_column_double)                                                                    \
    CALL(sqlite3_column_int)                                                                       \
    CALL(sqlite3_column_int64)                                                                     \
    CALL(sqlite3_column_text)                                                                      \
    CALL(sqlite3_column_type)                                                                      \
    CALL(sqlite3_config)                                                                           \
    CALL(sqlite3_create_function_v2)                                                               \
    CALL(sqlite3_db_filename)                                                                      \
    CALL(sqlite3_db_readonly)                                                                      \
    CALL(sqlite3_errcode)                                                                          \
    CALL(sqlite3_errmsg)                                                                           \
    CALL(sqlite3_errstr)                                                                           \
    CALL(sqlite3_exec)                                                                             \
    CALL(sqlite3_extended_errcode)                                                                 \
    CALL(sqlite3_extended_result_codes)                                                            \
    CALL(sqlite3_file_control)                                                                     \
    FREE(sqlite3_finalize)                                                                         \
    CALL(sqlite3_get_autocommit)                                                                   \
    CALL(sqlite3_open_v2)                                                                          \
    CALL(sqlite3_prepare_v2)                                                                       \
    CALL(sqlite3_prepare_v3)                                                                       \
    CALL(sqlite3_progress_handler)                                                                 \
    CALL(sqlite3_reset)                                                                            \
    CALL(sqlite3_result_int)                                                                       \
    CALL(sqlite3_result_int64)                                                                     \
    CALL(sqlite3_result_text)                                                                      \
    CALL(sqlite3_step)                                                                             \
    CALL(sqlite3_stmt_readonly)                                                                    \
    CALL(sqlite3_system_errno)                                                                     \
    CALL(sqlite3_user_data)                                                                        \
    CALL(sqlite3_value_int64)                                                                      \
    CALL(sqlite3_value_text)

#endif
