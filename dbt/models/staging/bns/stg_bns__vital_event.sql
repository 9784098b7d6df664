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
        period,
        value
    from {{ source('raw', 'bns_taldau') }}
),

releases as (
    {{ release_rows('bns', ['births', 'natural_increase']) }}
),

cubes as (
    select
        code,
        dataset,
        source_table_id
    from {{ ref('cube') }}
    where source_code = 'bns'
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
        population_from_year,
        population_to_year
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
        observations.*,
        case when observations.period_type = '7' then {{ year_in(bns_text('observations.period'), '^31\\.12\\.YYYY\\*?$') }} end as year
    from observations
    inner join releases on observations._release_key = releases.release_key
),

resolved as (
    select
        typed.*,
        cubes.code as cube_code,
        area.code as area_code,
        names.area_code as named_area_code,
        chosen.sex_code,
        chosen.locality_code,
        {{ territory_exists('regions', 'typed.year') }} as territory_exists
    from typed
    left join cubes on typed.dataset = cubes.dataset and typed.index_id = cubes.source_table_id
    left join terms as area
        on area.dimension = 'area' and typed.term_id = area.term_id and split_part(typed.dictionaries, ',', 1) = area.dictionary_id
    left join names on {{ is_named('names', 'typed.term_name', 'typed.year') }}
    left join regions on area.code = regions.code
    -- dictionaries and terms are parallel: one chosen term for each dictionary
    left join lateral (
        select
            max(terms.code) filter (where terms.dimension = 'sex') as sex_code,
            max(terms.code) filter (where terms.dimension = 'locality') as locality_code
        from unnest(string_to_array(typed.dictionaries, ','), string_to_array(typed.terms, ',')) as pair (dictionary_id, term_id)
        inner join terms on pair.dictionary_id = terms.dictionary_id and pair.term_id = terms.term_id
    ) as chosen on true
)

select
    {{ address() }},
    cube_code,
    -- the dataset is the measure
    dataset as measure,
    area_code,
    'year'::text as period_kind,
    make_date(year, 1, 1) as period_start_date,
    make_date(year, 12, 31) as period_end_date,
    year,
    sex_code,
    locality_code,
    {{ bns_number('value') }} as value,
    {{ bns_obs_status('value', 'period', 'territory_exists') }} as obs_status,
    {{ bns_missing_reason('value', 'territory_exists') }} as value_missing_reason,
    term_id as area_as_sourced,
    period as period_as_sourced,
    value as value_as_sourced,
    {{ bns_value_issue('value') }} as value_issue,
    case
        when area_code is null then 'found term ' || quote_nullable(term_id) || ', expected a region of seed taldau_term'
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
                || ', expected 31.12.YYYY and period type 7 (year)'
    end as period_issue,
    -- the flat cube names no unit
    null::text as unit_issue,
    case
        when cube_code is null
            then 'found element ' || quote_nullable(index_id) || ', expected the element of seed cube for this dataset'
        when sex_code is null or locality_code is null
            then
                'found terms ' || quote_nullable(terms) || ' of dictionaries ' || quote_nullable(dictionaries)
                || ', expected one of seed taldau_term for sex and locality'
    end as member_issue,
    null::text as dropped_because
from resolved
