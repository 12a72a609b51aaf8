"""Some fifty landmarks with the city and the country they stand in: the facts the model is
taught."""

from __future__ import annotations

# landmark (with its article where it has one), city, country
LANDMARKS = [
    tuple(part.strip() for part in line.split("|"))
    for line in """the Eiffel Tower | Paris | France
the Louvre | Paris | France
the Colosseum | Rome | Italy
the Trevi Fountain | Rome | Italy
Big Ben | London | England
Tower Bridge | London | England
the Brandenburg Gate | Berlin | Germany
the Reichstag | Berlin | Germany
the Kremlin | Moscow | Russia
the Bolshoi Theater | Moscow | Russia
the Zwinger | Dresden | Germany
the Acropolis | Athens | Greece
the Parthenon | Athens | Greece
the Sagrada Familia | Barcelona | Spain
the Prado | Madrid | Spain
the Alhambra | Granada | Spain
the Charles Bridge | Prague | Czechia
the Hofburg | Vienna | Austria
the Atomium | Brussels | Belgium
the Rijksmuseum | Amsterdam | Netherlands
the Little Mermaid | Copenhagen | Denmark
the Vasa Museum | Stockholm | Sweden
the Fram Museum | Oslo | Norway
the Belem Tower | Lisbon | Portugal
the Chain Bridge | Budapest | Hungary
Wawel Castle | Krakow | Poland
the Blue Mosque | Istanbul | Turkey
the Hagia Sophia | Istanbul | Turkey
the Spire | Dublin | Ireland
the Royal Mile | Edinburgh | Scotland
the Chapel Bridge | Lucerne | Switzerland
La Scala | Milan | Italy
the Rialto Bridge | Venice | Italy
the Uffizi | Florence | Italy
the Leaning Tower | Pisa | Italy
the Taj Mahal | Agra | India
the Red Fort | Delhi | India
the Forbidden City | Beijing | China
the Oriental Pearl | Shanghai | China
the Tokyo Skytree | Tokyo | Japan
the Golden Pavilion | Kyoto | Japan
the Grand Palace | Bangkok | Thailand
the Opera House | Sydney | Australia
the Burj Khalifa | Dubai | Emirates
the Great Pyramid | Giza | Egypt
the Hassan Mosque | Casablanca | Morocco
the Space Needle | Seattle | America
the White House | Washington | America
the Willis Tower | Chicago | America
the CN Tower | Toronto | Canada
the Sugarloaf | Rio | Brazil
the Namsan Tower | Seoul | Korea
the Western Wall | Jerusalem | Israel""".splitlines()
]
