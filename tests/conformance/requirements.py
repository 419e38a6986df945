"""
What binds the endpoint, row by row: (number, what is asked, where it is asked, the tests that show it).

F is Front's document "Token introspection for channel identification"; a number before a section is an RFC's. A test is named by its
file and function; I, U and C are the folders of the integration, the unit and the conformance tests.
"""

I, U, C = "tests/integration", "tests/unit", "tests/conformance"  # noqa: E741


def rows(folder, **names):
    """The tests of some files: file=function, or several functions in one string."""
    endings = {I: ".py", C: ".py"}
    return [f"{folder}/{file}{endings.get(folder, '.c')}::{name}" for file, text in names.items() for name in text.split()]


def integration(**names):
    return rows(I, **{f"test_{file}": text for file, text in names.items()})


def conformance(**names):
    return rows(C, **{f"test_{file}": text for file, text in names.items()})


def unit(layer, **names):
    return rows(f"{U}/{layer}", **{f"test_{file}": text for file, text in names.items()})


THE_REQUEST = [
    (
        1, "POST with Basic credentials; the token in a field `token`, in JSON as Front sends it or in a form", "F; 7662 2.1",
        integration(profiles="test_documented_example_with_private_credentials", answers="test_active_private test_active_shared"),
    ),
    (
        2, "No token, a repeated parameter, a repeated JSON member, a token that is no string: 400 `invalid_request`", "7662 2.1; 6749 3.2",
        integration(
            answers="test_no_token test_repeated_token",
            requests="test_repeated_parameters test_parameter_repeated_in_another_spelling test_malformed_json"
            " test_json_token_that_is_not_a_string_or_empty",
        ),
    ),
    (
        3, "A `token_type_hint`, known or not, right or wrong, changes nothing", "7662 2.1",
        integration(requests="test_token_type_hint_never_changes_the_result"),
    ),
    (
        4, "No credentials of the caller: no answer; two ways of authenticating in one request: 400", "7662 2.1; 6749 2.3",
        integration(
            answers="test_caller_without_credentials test_two_ways_of_authenticating",
            requests="test_basic_and_a_secret_in_the_body test_half_of_client_secret_post test_secret_in_json_authenticates_nobody",
        ),
    ),
    (
        5, "Id and secret in Basic are understood form-encoded and raw", "6749 2.3.1",
        integration(requests="test_basic_in_both_spellings test_documented_spelling_of_basic")
        + unit("policy", client="test_both_spellings_of_basic"),
    ),
    (
        6, "`client_secret_post` in a form is served; a media type may have parameters", "6749 2.3.1; 9110 8.3",
        integration(requests="test_client_secret_post test_content_types", clients="test_npm_client test_authlib"),
    ),
    (
        7, "Other methods: 405 with `Allow`; other media types and content codings: 415", "7662 4; 9110 15.5.6, 15.5.16",
        integration(
            answers="test_other_method test_head_is_refused_without_a_body test_other_content_type test_content_encoding",
            requests="test_other_content_types test_content_codings",
        ),
    ),
]  # fmt: skip

THE_ANSWER = [
    (
        8, "A good token: 200, `active: true`, and exactly the two members of private or of shared credentials", "F",
        integration(
            profiles="test_documented_example_with_private_credentials test_documented_example_with_shared_credentials",
            answers="test_active_private test_active_shared",
        )
        + unit("policy", profile="test_front_profiles_add_nothing"),
    ),
    (
        9, "A bad token: `active: false` and nothing more; 401 for Front's profiles, 200 for `rfc7662`, as the client says", "F; 7662 2.2",
        integration(
            profiles="test_documented_example_of_an_invalid_token",
            answers="test_inactive_status_is_the_profiles_or_the_clients_own test_inactive_says_the_same_whatever_is_wrong",
        ),
    ),
    (
        10, "Bad credentials of the caller: 401 `invalid_client`, and never a word about the token", "7662 2.3; 6749 5.2",
        integration(
            answers="test_caller_with_a_wrong_secret_or_an_unknown_id", cache="test_wrong_credentials_get_nothing_from_the_cache"
        ),
    ),
    (
        11, "Every 401 has a challenge: `Basic` for a bad caller, `Bearer error=\"invalid_token\"` for a dead token", "9110 15.5.2",
        integration(
            answers="test_caller_without_credentials test_inactive_status_is_the_profiles_or_the_clients_own",
        ),
    ),
    (
        12, "`resource_owner_name` is spelt right; a config may add the misspelt `resrouce_owner_name`", "F",
        integration(
            profiles="test_documented_example_with_shared_credentials test_extra_member_beside_the_profiles_own",
        ),
    ),
    (
        13, "Different tokens never get one address", "F",
        integration(profiles="test_two_tokens_never_make_one_address")
        + unit("policy", mapping_injective="test_different_values_give_different_texts"),
    ),
    (
        14, "A token without a required member is inactive (`mapping_missing`), never half answered; the operator is told which", "F",
        integration(
            profiles="test_missing_member_is_named_to_the_operator", verification="test_mapping_that_only_one_profile_misses",
            commands="test_explain_names_the_missing_member",
        )
        + unit("policy", mapping="test_required_members"),
    ),
    (
        15, "`no-store`; `active` is a boolean, other members stand beside it, and only those that are needed", "6749 5.1; 7662 2.2, 5",
        integration(answers="test_active_rfc7662_has_the_standard_members_that_the_token_has test_active_private")
        + unit("policy", profile="test_rfc7662_takes_the_members_of_section_2_2 test_rfc7662_leaves_out_wrong_types"),
    ),
    (
        16, "Without keys, or with keys too old: 503 with `Retry-After`, not a bad token", "9110 15.6.4",
        integration(
            answers="test_keys_that_cannot_be_had",
            keys_outage="test_outage_longer_than_stale_max test_outage_shorter_than_stale_max test_outage_from_the_start",
        ),
    ),
]  # fmt: skip

THE_TOKEN = [
    (
        17, "Everything is checked every time, also what is cached; nothing is cached beyond `exp` or beyond its key", "7662 4",
        integration(
            cache="test_expiry_while_cached test_not_yet_valid_becomes_valid test_an_answer_is_never_given_to_another_client",
            reload="test_cached_verdict_is_not_served_under_another_config",
            keys_outage="test_a_removed_key_ends_its_cached_verdicts",
        )
        + unit(
            "policy", introspect="caches_nothing_beyond_the_token",
            introspect_keys="ends_cached_verdicts_with_their_keys serves_no_verdict_of_keys_that_are_gone",
        )
        + unit("cache", cache="a_value_is_dead_at_the_second_of_its_not_after"),
    ),
    (
        18, "An exact list of algorithms for each issuer, one algorithm for a key, and `none` in no spelling", "8725 3.1",
        conformance(
            signatures="test_names_that_are_no_algorithm test_each_algorithm_under_each_key",
            keys="test_alg_use_and_key_ops test_public_keys_as_secrets", published_tokens="test_rfc7515_appendix_a test_rfc7520_compact",
        )
        + integration(
            verification="test_bad_token_is_inactive test_key_sets",
            attacks_algorithm="test_none_in_every_spelling test_public_key_as_secret test_signature_of_another_algorithm",
        )
        + unit(
            "jose", verify="the_allow_list_comes_first none_is_refused_in_every_spelling no_key_verifies_another_algorithm",
            keyset="one_algorithm_per_key",
        ),
    ),
    (
        19, "Compact form alone: three parts of strict base64url, no unused bits set; a JWE is refused as such", "8725 3.3, 3.14; 7515 2",
        conformance(
            signatures="test_other_spellings",
            published_tokens="test_rfc7520_json_serializations test_rfc7520_detached_content test_rfc7520_header_that_is_not_protected",
        )
        + integration(verification="test_explain_gives_the_reason")
        + unit("jose", compact="other_numbers_of_parts_are_refused each_part_is_strict_base64url", base64url="trailing_bits_must_be_zero"),
    ),
    (
        20, "Points on their curve, RSA of 2048 bits and more without known weakness, `r\\|\\|s` of exact length and range, secrets as"
        " long as the hash", "8725 3.4; 7518 3.2 to 3.5; 8037; 8032",
        conformance(
            keys="test_ec_points test_okp_points test_rsa_keys test_rsa_sizes test_secrets",
            signatures="test_every_wrong_length test_every_changed_byte test_ecdsa_numbers test_eddsa_numbers test_rsa_numbers"
            " test_pkcs1_blocks test_pss_parameters test_forgery_for_the_exponent_3",
            published_tokens="test_rfc8037_appendix_a4",
        )
        + unit(
            "jose", rsa_weakness="powers_of_the_generator_have_the_fingerprint every_prime_can_clear_a_modulus small_factors_are_found",
            verify_forgery="ecdsa_numbers_out_of_range ecdsa_in_der eddsa_with_the_group_order_added pss_parameters pkcs1_parameters",
        ),
    ),
    (
        21, "The key is the issuer's own; `aud` names us; keys in a token are ignored and its `kid` is hostile; `typ` where it is asked"
        " for",
        "8725 3.8 to 3.11; 7519 4.1.3; 9068 2.1",
        integration(
            verification="test_bad_token_is_inactive test_good_tokens test_issuer_that_is_not_the_clients",
            keys_outage="test_two_issuers_of_one_provider_do_not_share_keys",
            attacks_key="test_key_in_the_header test_nothing_is_fetched_from_where_a_token_says test_hostile_kid test_token_of_another_issuer",
            attacks_claims="test_audience_that_is_almost_ours test_id_token_by_its_type",
        )
        + unit(
            "policy", claims="test_issuer_is_exact test_audience_shapes test_type_comparison test_no_audience_configured_refuses",
        )
        + unit("jose", verify_forgery="keys_inside_the_token_are_not_trusted", compact="keys_in_the_header_are_ignored"),
    ),
    (
        22, "Repeated members of header or payload, and any `crit`, are refused; so is `b64`", "7515 4, 4.1.11; 7519 4; 7797 6",
        conformance(published_tokens="test_rfc7797_unencoded_payload", published_json="test_in_a_header test_in_a_payload")
        + integration(
            verification="test_explain_gives_the_reason",
            attacks_claims="test_repeated_members test_unencoded_payload_and_unknown_extensions",
        )
        + unit("jose", compact="critical_headers_are_refused", json="repeated_members_are_refused_at_any_depth"),
    ),
    (
        23, "Dates may be fractions; `now >= exp + leeway` is over; no `exp`, strings and numbers out of range are refused; `iat` to come"
        " is not", "7519 2, 4.1.4 to 4.1.6",
        integration(
            verification="test_good_tokens test_bad_token_is_inactive test_leeway_holds_for_expiry_and_not_before",
            attacks_claims="test_dates_that_are_none test_dates_long_ago test_dates_at_the_edge",
        )
        + unit(
            "policy", claims="test_expiry_to_the_second test_not_before_to_the_second test_dates_that_are_none"
            " test_issued_in_the_future_is_no_reason",
        ),
    ),
    (
        24, "A key that cannot be used never fails its set; `use`, `key_ops` and `alg` are enforced; a `kid` means one key; secrets do not"
        " stand beside public keys", "7517 4.2 to 4.5, 5",
        conformance(
            keys="test_alg_use_and_key_ops test_entries_that_are_no_keys test_one_kid_for_several_keys"
            " test_one_kid_for_keys_of_different_types test_symmetric_key_beside_public_ones test_private_key_that_was_published",
            published_keys="test_file test_every_file_is_looked_at",
        )
        + integration(verification="test_key_sets test_operator_is_told_of_skipped_keys")
        + unit("jose", keyset="unusable_keys_do_not_touch_their_neighbours", keyset_rules="different_keys_under_one_kid_are_all_dropped"),
    ),
    (
        25, "Depth and size of JSON are bounded, and what is no JSON is refused", "8725 3.12; 8259 9",
        conformance(published_json="test_in_a_header test_as_a_header test_in_a_payload test_as_a_payload")
        + integration(requests="test_json_nesting_is_bounded", attacks_claims="test_deep_nesting", attacks_text="test_invalid_utf8")
        + unit("jose", json="depth_is_bounded a_nul_byte_is_refused_anywhere test_suite_of_others", compact="a_deep_header_is_refused"),
    ),
]  # fmt: skip

SECRETS = [
    (
        26, "Tokens and secrets never reach log, answer, core dump or memory given back; a token is named by 12 digits of a digest",
        "7662 4; 6750 5.2",
        integration(
            log="test_looks_at_everything_logged_for_secrets test_secrets_in_requests_are_not_in_answers"
            " test_inactive_verdict_is_one_line",
            secrets="test_memory_is_closed_by_default",
        )
        + unit(
            "policy", client="test_secrets_are_kept_as_digests",
            secret_traces="test_client_secrets test_credentials_of_a_request test_symmetric_keys test_parsed_tokens",
        ),
    ),
    (
        27, "Secrets are compared in constant time, through digests; several are valid at once", "6749 10.10",
        integration(requests="test_both_secrets_of_a_rotation", reload="test_two_secrets_overlap_during_a_rotation")
        + unit("policy", client="test_secrets_are_kept_as_digests test_two_secrets_are_valid_at_once test_all_places_are_compared"),
    ),
    (
        28, "An unknown client costs what a wrong secret costs", "6749 10.10",
        unit("policy", client="test_work_depends_on_the_request_alone"),
    ),
]  # fmt: skip


def provider(*more):
    both = unit("policy", claims_providers="test_providers", mapping="test_providers")
    return integration(profiles="test_providers_shape") + both + list(more)


PROVIDERS = [
    (
        "Auth0", "`iss` ends in `/`; `aud` is a list; claims are named by URLs and never split; tokens may be long", "auth0.com",
        provider(
            *unit("policy", claim_path="test_literal_name_is_never_split", claims="test_issuer_is_exact"),
            *integration(answers="test_largest_body", reload="test_longer_tokens"),
        ),
    ),
    ("Okta", "`cid`, `uid` and the list `scp`: fallbacks", "okta.com", provider(*unit("policy", mapping="test_sources_in_order"))),
    (
        "Keycloak", "`typ: Bearer` in the payload; roles below names with dots: JSON Pointers", "keycloak.org",
        provider(*unit("policy", claim_path="test_pointer_into_nested_claims")),
    ),
    (
        "Entra ID", "`tid` and `oid` make a template; keys have no `alg`", "learn.microsoft.com",
        provider(*unit("policy", mapping="test_templates"), *unit("jose", verify="rsa_keys_without_alg_verify_both_paddings")),
    ),
    (
        "Cognito", "No `aud`: another claim is the audience; `token_use` is required", "docs.aws.amazon.com",
        provider(*unit("policy", claims="test_audience_in_another_claim test_requirements")),
    ),
    ("Hydra", "Extra claims under `ext` or at the top: fallbacks", "ory.sh", provider(*unit("policy", mapping="test_sources_in_order"))),
]  # fmt: skip

MAPPING = [
    (
        "`name`", "The claim of exactly that name, whatever its characters", "",
        integration(profiles="test_front_private_mappings") + unit("policy", claim_path="test_literal_name_is_never_split"),
    ),
    (
        "`/a/b/0`", "A JSON Pointer", "6901",
        integration(profiles="test_front_private_mappings")
        + unit("policy", claim_path="test_pointer_examples_of_the_rfc test_pointer_escapes test_array_indices"),
    ),
    (
        "`{a} {/b}`", "A template, whose parts are encoded so that different tokens never make one text", "",
        integration(profiles="test_front_shared_templates test_two_tokens_never_make_one_address")
        + unit("policy", mapping="test_templates test_what_is_encoded", mapping_injective="test_different_values_give_different_texts"),
    ),
    (
        "a list", "Sources are tried in their order", "",
        integration(profiles="test_front_private_mappings") + unit("policy", mapping="test_sources_in_order"),
    ),
    (
        "values", "Integers become text; objects, lists, null, booleans, empty text, control characters and over 1 KiB count as missing",
        "",
        integration(verification="test_bad_token_is_inactive")
        + unit(
            "policy", mapping="test_integers_become_text test_what_counts_as_missing test_over_one_kibibyte_is_missing"
            " test_control_character_is_missing_though_it_would_be_encoded",
        ),
    ),
]  # fmt: skip

HOSTILE_CALLERS = [
    (
        "Floods", "Frames, resets and header blocks without end cost their own connection, and no other", "9113 10.5",
        integration(
            hostile_floods="test_flood",
            limits="test_resets test_few_resets_and_many_answers_are_no_flood test_control_frames test_headers_far_above test_buffered",
        )
        + unit("http", frame_scan="all_frames_that_open_nothing_are_counted unknown_frames_are_dropped"),
    ),
    (
        "Slow peers", "Each ends within its configured time, a slow stream alone", "9112 9.5",
        integration(
            hostile_slow="test_slow_peer_is_ended test_stuck_peer_is_ended test_deaf_peer_is_ended test_busy_connection_is_not_idle",
            timeouts="test_request_over_http1 test_slow_body_ends_its_stream_alone test_idle_http1 test_idle_http2"
            " test_stranger_does_not_stay",
        ),
    ),
    (
        "Bounds", "Connections, requests, headers, bodies, waiting work, open files: new ones are refused, old ones served", "6585 5",
        integration(
            limits="test_connections test_connections_of_an_address test_requests_of_an_http1_connection"
            " test_requests_of_an_http2_connection test_headers test_body test_waiting",
            descriptors="test_every_low_limit",
            fairness="test_new_token_beside_hundreds_of_bad_ones",
        ),
    ),
    (
        "Guessing", "Failures are throttled by address and by client; right credentials always have a way", "6749 2.3.1; 6585 4",
        integration(
            throttle="test_guesses_are_throttled_and_the_caller_is_served test_caller_is_served_while_the_guessing_goes_on"
            " test_proxys_other_callers_are_served_on_the_same_connection test_reload_keeps_the_state",
        ),
    ),
    (
        "Smuggling", "Trailers that pose as headers, blocks that end on another stream", "9113 8.1, 6.10",
        integration(limits="test_trailers test_block_that_ends_on_another_stream", peer_address="test_trailers_name_nobody"),
    ),
    (
        "Proxies", "A peer is told by a trusted proxy, or not at all", "7239 8.1",
        integration(
            proxy_protocol="test_header_in_front test_untrusted_peer_is_closed_at_once test_bad_header_ends_the_connection",
            peer_address="test_client_of_the_header_is_not_believed test_client_that_a_trusted_proxy_forwards_for_is_charged",
        ),
    ),
    (
        "TLS", "1.2 and 1.3, forward secrecy, no renegotiation, tickets that rotate, client certificates", "9325 3, 4",
        integration(
            tls="test_old_versions_are_refused test_ciphers_of_tls_1_2_that_are_refused test_renegotiation_is_refused"
            " test_ticket_keys_rotate test_client_certificates test_sessions_with_client_certificates",
        ),
    ),
    (
        "Privileges", "Root is given up before the first thread, system calls can be filtered, nothing is executed", "",
        integration(
            privileges="test_root_is_given_up test_runs_as_any_user test_no_new_privileges_always",
            seccomp="test_serving_and_stopping test_reloading test_fetching_keys",
        ),
    ),
]  # fmt: skip

OPERATING = [
    (
        "Metrics", "Counters agree with what was asked; labels come from closed lists and the config", "Prometheus text format 0.0.4",
        integration(
            metrics="test_requests_by_profile_protocol_and_outcome test_durations_add_up_to_hits_and_misses"
            " test_what_callers_say_is_no_series test_names_of_the_config_are_escaped test_fetches test_reloads",
        ),
    ),
    (
        "Status page", "Numbers that agree with the metrics; explains a token and keeps nothing of it; no other site can ask", "CSP 3",
        integration(
            status_page="test_they_agree_with_the_metrics test_it_says_what_the_command_says test_it_is_one_page_with_a_policy"
            " test_nothing_of_a_token_stays_in_memory test_pages_of_other_sites test_hosts_that_may_be_somebody_elses",
        ),
    ),
    (
        "Logs", "No event loop waits for them, rotation cuts no line, what is lost is counted", "",
        integration(
            access_log="test_every_outcome test_rotation_under_load test_reader_that_does_not_read test_full_disk"
            " test_nothing_that_callers_send test_root_opens_nothing_that_the_user_may_not",
        ),
    ),
    (
        "Drain", "Announced before it begins; what is in flight finishes; GOAWAY's number never increases", "9112 9.6; 9113 6.8",
        integration(
            drain_delay="test_everything_is_served_during_the_delay test_http1_connections_are_told_to_close"
            " test_the_last_stream_that_was_told_of_stays_the_last test_second_signal_ends_the_delay",
            health="test_ready test_draining test_config_that_a_reload_refused",
        ),
    ),
    (
        "Supervisors", "Passed sockets, READY, RELOADING, STOPPING, signs of life", "sd_notify(3), sd_listen_fds(3)",
        integration(
            systemd="test_sockets_are_taken_by_their_address test_connections_wait_for_the_next_process test_reloads_are_told"
            " test_no_sign_of_life_while_an_event_loop_is_stuck test_supervisor_that_makes_its_socket_anew",
        ),
    ),
]  # fmt: skip

SECTIONS = [
    ("The request", THE_REQUEST),
    ("The answer", THE_ANSWER),
    ("The token", THE_TOKEN),
    ("Secrets", SECRETS),
    ("What real access tokens look like", PROVIDERS),
    ("The mapping language", MAPPING),
    ("Hostile callers", HOSTILE_CALLERS),
    ("Operating it", OPERATING),
]
