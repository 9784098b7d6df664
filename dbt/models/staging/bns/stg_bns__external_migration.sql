with observations as (
    select
        _release_key,
        _snapshot_key,
        _row,
        index_id,
        period_type,
        dictionaries,
        terms,
        term_id,
        term_name,
        measure_name,
        period,
        value
    from {{ source('raw', 'bns_taldau') }}
),

releases as (
    {{ release_rows('bns', ['external_arrivals', 'external_departures']) }}
),

cubes as (
    select
        code,
        source_code,
        dataset,
        source_table_id,
        unit_as_sourced,
        direction,
        scope
    from {{ ref('cube') }}
),

terms as (
    select
        dictionary_id,
        term_id,
        dimension,
        code
    from {{ ref('taldau_term') }}
),

regions as (
    select
        code,
        legal_from,
        legal_to
    from {{ ref('region') }}
),

-- elements and indices of Taldau name the territories as the classifier does
names as (
    {{ territories('bns_6567') }}
),

typed as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        observations._release_key,
        observations._snapshot_key,
        observations._row,
        observations.index_id,
        observations.period_type,
        observations.dictionaries,
        observations.terms,
        observations.term_id,
        observations.term_name,
        observations.measure_name,
        observations.period,
        observations.value,
        case when observations.period_type = '7' then {{ year_in(bns_text('observations.period'), '^12YYYY\\*?$') }} end as year
    from observations
    inner join releases on observations._release_key = releases.release_key
),

resolved as (
    select
        typed.*,
        cubes.code as cube_code,
        cubes.unit_as_sourced,
        cubes.direction,
        cubes.scope,
        area.code as area_code,
        names.area_code as named_area_code,
        chosen.sex_code,
        chosen.ethnicity_code,
        chosen.locality_code,
        make_date(typed.year, 1, 1) as period_start_date,
        make_date(typed.year, 12, 31) as period_end_date,
        coalesce(make_date(typed.year, 12, 31) >= regions.legal_from, true)
        and coalesce(make_date(typed.year, 1, 1) < regions.legal_to, true) as territory_exists
    from typed
    left join cubes
        on typed.source = cubes.source_code and typed.dataset = cubes.dataset and typed.index_id = cubes.source_table_id
    left join terms as area
        on area.dimension = 'area' and typed.term_id = area.term_id and split_part(typed.dictionaries, ',', 1) = area.dictionary_id
    left join names on {{ is_named('names', 'typed.term_name', 'typed.year') }}
    left join regions on area.code = regions.code
    -- dictionaries and terms are parallel: one chosen term for each dictionary
    left join lateral (
        select
            max(terms.code) filter (where terms.dimension = 'sex') as sex_code,
            max(terms.code) filter (where terms.dimension = 'ethnicity') as ethnicity_code,
            max(terms.code) filter (where terms.dimension = 'locality') as locality_code
        from unnest(string_to_array(typed.dictionaries, ','), string_to_array(typed.terms, ',')) as pair (dictionary_id, term_id)
        inner join terms on pair.dictionary_id = terms.dictionary_id and pair.term_id = terms.term_id
    ) as chosen on true
)

select
    {{ address() }},
    cube_code,
    direction,
    scope,
    area_code,
    'W1'::text as counterpart_area_code,
    'year'::text as period_kind,
    period_start_date,
    period_end_date,
    year,
    sex_code,
    '_T'::text as age_group_code,
    '_T'::text as education_code,
    '_T'::text as specialty_code,
    ethnicity_code,
    locality_code,
    {{ bns_number('value') }} as value,
    {{ bns_obs_status('value', 'period', 'territory_exists') }} as obs_status,
    {{ bns_missing_reason('value', 'territory_exists') }} as value_missing_reason,
    term_id as area_as_sourced,
    period as period_as_sourced,
    value as value_as_sourced,
    {{ bns_value_issue('value') }} as value_issue,
    case
        when area_code is null
            then 'found term ' || quote_nullable(term_id) || ', expected a region of seed taldau_term'
        -- an answer says twice which territory it is about
        when {{ bns_text('term_name') }} <> '' and coalesce(named_area_code, '') <> area_code
            then
                'found term ' || term_id || ' named ' || quote_literal(term_name) || ', expected a name of area ' || area_code
                || ' in seed area_alias'
    end as area_issue,
    case
        when year is null
            then
                'found ' || quote_nullable(period) || ' with period type ' || quote_nullable(period_type)
                || ', expected MMYYYY with month 12 and period type 7 (year)'
    end as period_issue,
    case
        when unit_as_sourced is not null and ({{ bns_text('measure_name') }} = unit_as_sourced) is not true
            then 'found ' || quote_nullable(measure_name) || ', expected ' || quote_literal(unit_as_sourced)
    end as unit_issue,
    case
        when cube_code is null
            then 'found index ' || quote_nullable(index_id) || ', expected the index of seed cube for this dataset'
        when sex_code is null or ethnicity_code is null or locality_code is null
            then
                'found terms ' || quote_nullable(terms) || ' of dictionaries ' || quote_nullable(dictionaries)
                || ', expected one of seed taldau_term for sex, ethnicity and locality'
    end as member_issue,
    null::text as dropped_because
from resolved
