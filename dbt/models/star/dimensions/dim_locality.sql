{{ dimension_members(ref('locality'), 'locality', 'locality') }}
